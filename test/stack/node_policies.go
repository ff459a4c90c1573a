package stack

import (
	"context"
	"fmt"
)

// startKubeRouter has network policies enforced: kube-router's firewall keeps a chain of iptables for
// each pod that one selects, in the network that the stack runs in.
func (s *Stack) startKubeRouter(ctx context.Context, o Options) error {
	if !o.NodePolicies {
		return nil
	}
	binary, err := Binary("kube-router")
	if err != nil {
		return err
	}
	return s.launch(ctx, "kube-router", 1, func(ports []int) (*service, error) {
		return &service{Name: "kube-router", Binary: binary, Health: "http://" + loopback(ports[0]) + "/healthz", Args: []string{
			"--run-firewall=true", "--run-router=false", "--run-service-proxy=false", "--run-loadbalancer=false", "--enable-ipv6=false",
			"--kubeconfig=" + s.Kubeconfig, "--hostname-override=" + NodeName, "--metrics-port=0", fmt.Sprintf("--health-port=%d", ports[0]),
		}}, nil
	})
}
