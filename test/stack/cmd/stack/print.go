package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/lifeboat-backup/lifeboat/test/stack"
)

func printStatus(out io.Writer, s *stack.Stack) error {
	services, err := s.Services()
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "\nCOMPONENT\tSTATE\tPID\tHEALTH")
	for _, svc := range services {
		state := "running"
		if !svc.Running {
			state = "dead"
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\n", svc.Name, state, svc.PID, svc.Health)
	}
	fmt.Fprintf(w, "\nKubernetes\t%s\t(KUBECONFIG=%s)\n", s.APIServer, s.Kubeconfig)
	fmt.Fprintf(w, "S3\t%s\t(bucket %s, region %s, key %s, secret %s)\n", s.S3.Endpoint, s.S3.Bucket, s.S3.Region, s.S3.AccessKey, s.S3.SecretKey)
	fmt.Fprintf(w, "Temporal\t%s\t(namespace %s)\n", s.Temporal.Address, s.Temporal.Namespace)
	fmt.Fprintf(w, "Temporal UI\t%s\n", s.Temporal.UI)
	if s.EBS != nil {
		fmt.Fprintf(w, "EC2, STS\t%s\t(data in %s)\n", s.EBS.Endpoint, s.EBS.Dir)
	}
	fmt.Fprintf(w, "logs\t%s\n", filepath.Join(s.Dir, "logs"))
	return w.Flush()
}

func printEnv(out io.Writer, s *stack.Stack) error {
	if _, err := fmt.Fprintf(out, "export PATH='%s':\"$PATH\"\n", s.BinDir()); err != nil {
		return err
	}
	pairs := [][2]string{
		{stack.Variable, s.Dir},
		{"KUBECONFIG", s.Kubeconfig},
		{"TEMPORAL_ADDRESS", s.Temporal.Address},
		{"TEMPORAL_NAMESPACE", s.Temporal.Namespace},
		{"AWS_ACCESS_KEY_ID", s.S3.AccessKey},
		{"AWS_SECRET_ACCESS_KEY", s.S3.SecretKey},
		{"AWS_REGION", s.S3.Region},
		{"AWS_DEFAULT_REGION", s.S3.Region}, // as older clients call it
		{"AWS_ENDPOINT_URL_S3", s.S3.Endpoint},
		{"LIFEBOAT_BUCKET", s.S3.Bucket},
	}
	if s.EBS != nil { // its keys are those of the object store
		for _, variable := range s.EBS.Endpoints() {
			name, value, _ := strings.Cut(variable, "=")
			pairs = append(pairs, [2]string{name, value})
		}
	}
	for _, pair := range pairs {
		if _, err := fmt.Fprintf(out, "export %s='%s'\n", pair[0], pair[1]); err != nil {
			return err
		}
	}
	return nil
}
