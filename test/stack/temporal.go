package stack

import (
	"context"
	"strconv"
)

// startTemporal starts the dev server: frontend, UI and a namespace with the
// search attributes that Lifeboat's workflows set.
func (s *Stack) startTemporal(ctx context.Context, o Options) error {
	binary, err := Binary("temporal")
	if err != nil {
		return err
	}
	s.Temporal.Namespace = "default"
	return s.launch(ctx, "temporal", 4, func(ports []int) (*service, error) {
		s.Temporal.Address = loopback(ports[0])
		s.Temporal.UI = "http://" + loopback(ports[1])
		// The UI's API goes through the frontend and reads the namespace: 200 means both serve.
		health := s.Temporal.UI + "/api/v1/namespaces/" + s.Temporal.Namespace
		return &service{Name: "temporal", Binary: binary, Health: health, Args: s.temporalArgs(ports, o)}, nil
	})
}

func (s *Stack) temporalArgs(ports []int, o Options) []string {
	args := []string{
		"server", "start-dev", "--ip", "127.0.0.1", "--log-level", "warn",
		"--port", strconv.Itoa(ports[0]), "--ui-port", strconv.Itoa(ports[1]),
		"--http-port", strconv.Itoa(ports[2]), "--metrics-port", strconv.Itoa(ports[3]),
		"--namespace", s.Temporal.Namespace,
	}
	for _, attribute := range searchAttributes() {
		args = append(args, "--search-attribute", attribute)
	}
	if o.TemporalOnDisk {
		args = append(args, "--db-filename", s.data("temporal.db"))
	}
	return append(args, o.TemporalArgs...)
}

func searchAttributes() []string {
	return []string{
		"LifeboatCluster=Keyword", "LifeboatName=Keyword", "LifeboatPhase=Keyword",
		"LifeboatSchedule=Keyword", "LifeboatExpires=Datetime",
	}
}
