package stack

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func (s *Stack) startEtcd(ctx context.Context) error {
	binary, err := Binary("etcd")
	if err != nil {
		return err
	}
	return s.launch(ctx, "etcd", 2, func(ports []int) (*service, error) {
		client, peer := "http://"+loopback(ports[0]), "http://"+loopback(ports[1])
		return &service{Name: "etcd", Binary: binary, Health: client + "/health", Args: []string{
			"--name=stack", "--data-dir=" + s.data("etcd"),
			"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
			"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=stack=" + peer,
			"--unsafe-no-fsync",                // nothing here must survive a power cut
			"--quota-backend-bytes=8589934592", // benchmarks write more than the default 2 GiB
			"--max-request-bytes=4194304", "--log-level=warn",
		}}, nil
	})
}

func (s *Stack) startAPIServer(ctx context.Context, o Options) error {
	binary, err := Binary("kube-apiserver")
	if err != nil {
		return err
	}
	etcd, err := s.service("etcd")
	if err != nil {
		return err
	}
	if err := s.writeCredentials(); err != nil {
		return fmt.Errorf("write credentials: %w", err)
	}
	err = s.launch(ctx, "kube-apiserver", 1, func(ports []int) (*service, error) {
		s.APIServer = "https://" + loopback(ports[0])
		args := append(s.apiServerArgs(ports[0], strings.TrimSuffix(etcd.Health, "/health")), o.APIServerArgs...)
		return &service{Name: "kube-apiserver", Binary: binary, Health: s.APIServer + "/readyz", Args: args}, nil
	})
	if err != nil {
		return err
	}
	return s.writeKubeconfig()
}

func (s *Stack) apiServerArgs(port int, etcd string) []string {
	return []string{
		"--etcd-servers=" + etcd,
		"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", port),
		"--advertise-address=192.0.2.1", // loopback is refused, and a machine may have no other address
		"--endpoint-reconciler-type=none",
		"--cert-dir=" + s.data("kube-apiserver"),
		"--token-auth-file=" + s.tokenFile(),
		"--authorization-mode=Node,RBAC",
		"--service-account-issuer=" + s.APIServer,
		"--service-account-jwks-uri=" + s.APIServer + "/openid/v1/jwks", // else it names the advertised address, where nothing listens
		"--service-account-key-file=" + s.accountKeyFile(),
		"--service-account-signing-key-file=" + s.accountKeyFile(),
		"--api-audiences=" + s.APIServer + ",sts.amazonaws.com",
		"--service-cluster-ip-range=10.96.0.0/16",
		"--allow-privileged=true",
		"--kubelet-preferred-address-types=Hostname",
		"--shutdown-delay-duration=0s",
	}
}

func (s *Stack) startControllerManager(ctx context.Context) error {
	return s.startClient(ctx, "kube-controller-manager", "--service-account-private-key-file="+s.accountKeyFile(),
		"--root-ca-file="+s.CAFile, "--concurrent-namespace-syncs=20", "--concurrent-gc-syncs=40",
		"--namespace-sync-period=1m")
}

func (s *Stack) startScheduler(ctx context.Context) error {
	return s.startClient(ctx, "kube-scheduler")
}

// startClient starts one of the two daemons that only talk to the API server.
// The QPS is far above the default of 20, which would set the pace of everything.
func (s *Stack) startClient(ctx context.Context, name string, more ...string) error {
	binary, err := Binary(name)
	if err != nil {
		return err
	}
	return s.launch(ctx, name, 1, func(ports []int) (*service, error) {
		args := []string{
			"--kubeconfig=" + s.Kubeconfig, "--leader-elect=false",
			"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", ports[0]),
			"--kube-api-qps=2000", "--kube-api-burst=4000",
		}
		return &service{Name: name, Binary: binary, Args: append(args, more...), Health: "https://" + loopback(ports[0]) + "/healthz"}, nil
	})
}

// snapshotControllerRates are none but its own (5 requests a second, 10 at once, 10 threads, a
// resync after 15 minutes), or such that a test of other things does not wait: 80 snapshots take
// 17 s with these, and 143 s with its own.
func (o Options) snapshotControllerRates() []string {
	if o.EBS && !o.EBSFast {
		return nil
	}
	return []string{"--kube-api-qps=1000", "--kube-api-burst=2000", "--worker-threads=50", "--resync-period=10s"}
}

func (s *Stack) startSnapshotController(ctx context.Context, o Options) error {
	if !o.SnapshotController && !o.EBS {
		return nil
	}
	binary, err := Binary("snapshot-controller")
	if err != nil {
		return err
	}
	return s.launch(ctx, "snapshot-controller", 1, func(ports []int) (*service, error) {
		return &service{Name: "snapshot-controller", Binary: binary, Health: "http://" + loopback(ports[0]) + "/metrics", Args: append([]string{
			"--kubeconfig=" + s.Kubeconfig, "--http-endpoint=" + loopback(ports[0]), "--retry-crd-interval-max=10s",
		}, o.snapshotControllerRates()...)}, nil
	})
}

// waitDefaultAccount waits for what Pods and most users need first: a controller
// manager may be healthy and still be about to make it.
func (s *Stack) waitDefaultAccount(ctx context.Context) error {
	return poll(ctx, "wait for the default service account", func() (bool, error) {
		_, err := s.kube().get(ctx, "/api/v1/namespaces/default/serviceaccounts/default")
		return err == nil, nil
	})
}

func (s *Stack) tokenFile() string { return filepath.Join(s.data("kube-apiserver"), "tokens.csv") }

func (s *Stack) accountKeyFile() string {
	return filepath.Join(s.data("kube-apiserver"), "service-account.key")
}

func writeSecret(path string, data []byte) error {
	return os.WriteFile(path, data, 0o600)
}
