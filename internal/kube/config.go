package kube

import (
	"fmt"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// RESTConfig is how to reach and to authenticate to one API server. It is an
// alias so that callers can carry one without importing client-go.
type RESTConfig = rest.Config

// Config reads a kubeconfig file and picks a context of it; the current one if
// context is empty. Without a file it is the configuration of the pod we run
// in.
func Config(kubeconfig, context string) (*RESTConfig, error) {
	if kubeconfig == "" && context != "" {
		return nil, fmt.Errorf("context %q: needs a kubeconfig file; name one or leave the context empty to use the pod's own cluster", context)
	}
	if kubeconfig == "" {
		cfg, err := rest.InClusterConfig()
		if err != nil {
			return nil, fmt.Errorf("in-cluster config (name a kubeconfig file to run outside of a pod): %w", err)
		}
		return cfg, nil
	}
	rules := &clientcmd.ClientConfigLoadingRules{ExplicitPath: kubeconfig}
	over := &clientcmd.ConfigOverrides{CurrentContext: context}
	cfg, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, over).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig %s: %w", kubeconfig, err)
	}
	return cfg, nil
}
