package stack

import (
	"context"
	"fmt"
	"path/filepath"
)

// The names of the CSI driver in the cluster: everywhere, and in EKS Auto Mode.
const (
	ebsDriver     = "ebs.csi.aws.com"
	ebsDriverAuto = "ebs.csi.eks.amazonaws.com"
)

// ebsDrivers are the names under which a stack has the driver: both, as a cluster of EKS may have,
// or in a fast one those that are asked for.
func (o Options) ebsDrivers() []string {
	if o.EBSAuto || !o.EBSFast {
		return []string{ebsDriver, ebsDriverAuto}
	}
	return []string{ebsDriver}
}

// componentOf is the name of a driver's component: that of Auto Mode runs beside the other.
func componentOf(component, driver string) string {
	if driver == ebsDriverAuto {
		return component + "-auto"
	}
	return component
}

// maxSocket is how long the path of a unix socket may be on every system.
const maxSocket = 100

// startDriver starts the CSI driver, under each of its names, and its sidecar and makes its classes.
func (s *Stack) startDriver(ctx context.Context, o Options) error {
	if !o.EBS {
		return nil
	}
	for _, driver := range o.ebsDrivers() {
		err := sequence(
			func() error { return s.installDriver(ctx, o, driver) },
			func() error { return s.startController(ctx, o, driver) },
			func() error { return s.startSnapshotter(ctx, o, driver) },
		)()
		if err != nil {
			return err
		}
	}
	return nil
}

// startController starts the driver's controller with its provisioner. With kwok it
// also attaches the volumes of fake nodes' Pods.
func (s *Stack) startController(ctx context.Context, o Options, driver string) error {
	binary, err := Binary("ebscsi")
	if err != nil {
		return err
	}
	if len(s.driverSocket(driver)) > maxSocket {
		return fmt.Errorf("start ebscsi: %s is too long for a socket; choose a shorter Options.Dir", s.driverSocket(driver))
	}
	name := componentOf("ebscsi", driver)
	return s.launch(ctx, name, 1, func(ports []int) (*service, error) {
		return &service{
			Name: name, Binary: binary, Health: "http://" + loopback(ports[0]) + "/healthz", Env: s.driverEnvironment(driver),
			Args: []string{
				"--mode=controller", "--driver=" + driver, "--csi-address=" + s.driverSocket(driver), "--kubeconfig=" + s.Kubeconfig,
				"--health=" + loopback(ports[0]), fmt.Sprintf("--fake-nodes=%t", o.Kwok && driver == ebsDriver),
			},
		}, nil
	})
}

func (s *Stack) driverSocket(driver string) string {
	return s.data(componentOf("csi", driver) + ".sock")
}

// driverEnvironment is that of a driver. The one of EKS Auto Mode is an administrator: AWS does
// not publish what its role may do.
func (s *Stack) driverEnvironment(driver string) []string {
	env := append(s.EBS.Environment(), "EBSSIM_ADMIN_TOKEN_FILE="+s.EBS.TokenFile)
	if driver == ebsDriver {
		env = append(env, "AWS_SHARED_CREDENTIALS_FILE="+s.EBS.DriverFile) // the last one counts
	}
	return env
}

// snapshotterRates are how often the sidecar asks the API server, and the driver whether a
// snapshot is ready: as the driver's chart ships it, or without waits.
func (o Options) snapshotterRates() []string {
	if !o.EBSFast {
		return []string{
			"--kube-api-qps=20", "--kube-api-burst=100", "--worker-threads=100",
			"--retry-interval-start=1s", "--retry-interval-max=30m",
		}
	}
	return []string{
		"--kube-api-qps=1000", "--kube-api-burst=2000", "--worker-threads=100",
		"--retry-interval-start=500ms", "--retry-interval-max=2s",
		"--resync-period=2s", // it forgets a snapshot that it asks about before its cache has its own last write
	}
}

// startSnapshotter starts the real sidecar, which makes the driver's snapshots.
func (s *Stack) startSnapshotter(ctx context.Context, o Options, driver string) error {
	binary, err := Binary("csi-snapshotter")
	if err != nil {
		return err
	}
	name := componentOf("csi-snapshotter", driver)
	return s.launch(ctx, name, 1, func(ports []int) (*service, error) {
		return &service{Name: name, Binary: binary, Health: "http://" + loopback(ports[0]) + "/metrics", Args: append([]string{
			"--kubeconfig=" + s.Kubeconfig, "--csi-address=" + s.driverSocket(driver), "--http-endpoint=" + loopback(ports[0]),
			"--extra-create-metadata",
		}, o.snapshotterRates()...)}, nil
	})
}

// startNodeDriver starts the driver's node service on the real node, where it
// registers at the kubelet and mounts volumes.
func (s *Stack) startNodeDriver(ctx context.Context, o Options) error {
	if !o.EBS || !o.Node {
		return nil
	}
	binary, err := Binary("ebscsi")
	if err != nil {
		return err
	}
	if err := s.EBS.AddInstance(ctx, s.Node.InstanceID, s.Node.Zone); err != nil {
		return err
	}
	err = s.launch(ctx, "ebscsi-node", 1, func(ports []int) (*service, error) {
		return s.insideNode(&service{
			Name: "ebscsi-node", Binary: binary, Health: "http://" + loopback(ports[0]) + "/healthz", Env: s.driverEnvironment(ebsDriver),
			Args: []string{
				"--mode=node", "--node-id=" + s.Node.InstanceID, "--zone=" + s.Node.Zone, "--health=" + loopback(ports[0]),
				"--csi-address=" + filepath.Join(nodeKubeletDir, "plugins", ebsDriver, "csi.sock"),
				"--plugins-registry=" + filepath.Join(nodeKubeletDir, "plugins_registry"),
			},
		}), nil
	})
	if err != nil {
		return err
	}
	return s.waitRegistered(ctx, NodeName)
}

// waitRegistered waits for the kubelet's word that it knows the driver.
func (s *Stack) waitRegistered(ctx context.Context, node string) error {
	return poll(ctx, "wait for the driver on "+node, func() (bool, error) {
		body, err := s.kube().get(ctx, "/apis/storage.k8s.io/v1/csinodes/"+node)
		return err == nil && hasDriver(body, ebsDriver), nil
	})
}
