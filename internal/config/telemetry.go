package config

import (
	"net/url"
	"strings"
)

func (k *checker) checkTelemetry(t Telemetry) {
	if t.Endpoint != "" {
		u, err := url.Parse(t.Endpoint)
		switch {
		case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
			k.addProblem("telemetry.endpoint", "must be a URL such as http://collector:4317") // it is not quoted: a password may stand in it
		case u.User != nil:
			k.addProblem("telemetry.endpoint", "has a user or password: put credentials into OTEL_EXPORTER_OTLP_HEADERS, from a Secret")
		case u.RawQuery != "" || strings.HasSuffix(u.Path, "/"):
			k.addProblem("telemetry.endpoint", "%q must end without a slash or query; the signal's path is put behind it", t.Endpoint)
		}
	}
	if t.Protocol != "" && t.Protocol != ProtocolGRPC && t.Protocol != ProtocolHTTP {
		k.addProblem("telemetry.protocol", "%q is neither %s nor %s", t.Protocol, ProtocolGRPC, ProtocolHTTP)
	}
	if t.SampleRatio < 0 || t.SampleRatio > 1 {
		k.addProblem("telemetry.sampleRatio", "%g is outside 0 to 1", t.SampleRatio)
	}
}
