package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
)

// TemporalSetting is a value of Temporal's dynamic configuration, for one namespace.
type TemporalSetting struct {
	Key, Namespace string
	Value          any
}

// StartChasm starts a Temporal server beside the stack's own, of a version that can run schedules by
// workflows and by CHASM. It keeps its data in memory and has no namespace of users. What it gives is
// the stack with that server in the place of its own; the stack stops it.
func (s *Stack) StartChasm(ctx context.Context, settings ...TemporalSetting) (*Stack, error) {
	const name = "temporal-chasm"
	if err := Build(ctx, s.out, name); err != nil {
		return nil, err
	}
	binary, err := Binary(name)
	if err != nil {
		return nil, err
	}
	if err := s.SetChasm(settings...); err != nil {
		return nil, err
	}
	with := *s
	err = s.launch(ctx, name, 9, func(ports []int) (*service, error) {
		with.Temporal = Temporal{Address: loopback(ports[0])}
		config := s.data("temporal-chasm.yaml")
		health := "http://" + loopback(ports[2]) + "/api/v1/system-info"
		svc := &service{Name: name, Binary: binary, Health: health, Args: []string{"--config-file", config, "--allow-no-auth", "start"}}
		return svc, os.WriteFile(config, s.chasmConfig(ports), 0o600)
	})
	return &with, err
}

// SetChasm replaces the settings of a server that StartChasm has started, which reads them every
// five seconds.
func (s *Stack) SetChasm(settings ...TemporalSetting) error {
	type constraints struct {
		Namespace string `json:"namespace"`
	}
	type value struct {
		Value       any         `json:"value"`
		Constraints constraints `json:"constraints"`
	}
	byKey := map[string][]value{}
	for _, o := range settings {
		byKey[o.Key] = append(byKey[o.Key], value{o.Value, constraints{o.Namespace}})
	}
	text, err := json.Marshal(byKey) // JSON is YAML
	if err != nil {
		return err
	}
	path := s.chasmSettings()
	if err := os.WriteFile(path+".part", text, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".part", path)
}

func (s *Stack) chasmSettings() string { return s.data("temporal-chasm-settings.yaml") }

// chasmConfig is the server's own configuration for development with SQLite, on free ports.
func (s *Stack) chasmConfig(ports []int) []byte {
	const database = `{sql: {pluginName: sqlite, databaseName: default, connectAddr: localhost, connectProtocol: tcp,
      connectAttributes: {mode: memory, cache: private}, maxConns: 1, maxIdleConns: 1, maxConnLifetime: 1h}}`
	return fmt.Appendf(nil, `
log: {stdout: true, level: warn}
persistence:
  defaultStore: default
  visibilityStore: visibility
  numHistoryShards: 1
  datastores:
    default: %[1]s
    visibility: %[1]s
global:
  membership: {maxJoinDuration: 30s, broadcastAddress: 127.0.0.1}
services:
  frontend: {rpc: {grpcPort: %[2]d, membershipPort: %[3]d, httpPort: %[4]d, bindOnLocalHost: true}}
  history: {rpc: {grpcPort: %[5]d, membershipPort: %[6]d, bindOnLocalHost: true}}
  matching: {rpc: {grpcPort: %[7]d, membershipPort: %[8]d, bindOnLocalHost: true}}
  worker: {rpc: {grpcPort: %[9]d, membershipPort: %[10]d, bindOnLocalHost: true}}
clusterMetadata:
  failoverVersionIncrement: 10
  masterClusterName: active
  currentClusterName: active
  clusterInformation:
    active: {enabled: true, initialFailoverVersion: 1, rpcName: frontend, rpcAddress: "127.0.0.1:%[2]d", httpAddress: "127.0.0.1:%[4]d"}
dcRedirectionPolicy: {policy: noop}
dynamicConfigClient: {filepath: %[11]q, pollInterval: 5s}
`, database, ports[0], ports[1], ports[2], ports[3], ports[4], ports[5], ports[6], ports[7], ports[8], s.chasmSettings())
}
