// Package monitoring proves deploy/monitoring with the programs that users have: the alerts are
// evaluated by Prometheus's own rules engine over what the real gauges show while schedules are
// played through time (rules_test.go), and a real worker is scraped by Prometheus's own scraper
// and sends to a real OpenTelemetry Collector (stack_test.go). What a drill posts to Alertmanager is
// taken by the models of Alertmanager's own API (drill_alert_test.go).
package monitoring
