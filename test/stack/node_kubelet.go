package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// startKubelet joins the machine to the cluster and waits until Pods can be
// scheduled to it.
func (s *Stack) startKubelet(ctx context.Context, o Options) error {
	if !o.Node {
		return nil
	}
	binary, err := Binary("kubelet")
	if err != nil {
		return err
	}
	err = s.launch(ctx, "kubelet", 2, func(ports []int) (*service, error) {
		if err := s.writeKubeletConfig(ports[0], ports[1]); err != nil {
			return nil, err
		}
		return s.insideNode(&service{
			Name: "kubelet", Binary: binary, Health: "http://" + loopback(ports[1]) + "/healthz", Args: s.kubeletArgs(),
		}), nil
	})
	if err != nil {
		return err
	}
	return s.waitNodes(ctx, []string{NodeName})
}

func (s *Stack) kubeletArgs() []string {
	labels := []string{
		"topology.kubernetes.io/region=" + s.Node.Region, "topology.kubernetes.io/zone=" + s.Node.Zone,
		"node.kubernetes.io/instance-type=m6i.large",
	}
	return []string{
		"--config=" + s.data("node/kubelet.json"), "--kubeconfig=" + s.Kubeconfig,
		"--root-dir=" + nodeKubeletDir, "--cert-dir=" + nodeKubeletDir + "/pki",
		"--hostname-override=" + NodeName, "--node-labels=" + strings.Join(labels, ","),
	}
}

// writeKubeletConfig writes a configuration for a machine that belongs to others,
// too: no swap or cgroup rules of its own, nothing evicted or collected because the
// disk is full of other things. Whoever reaches its port on loopback may do all.
func (s *Stack) writeKubeletConfig(port, health int) error {
	resolv := s.data("node/resolv.conf")
	if err := os.WriteFile(resolv, []byte("nameserver 192.0.2.53\n"), 0o644); err != nil {
		return err
	}
	config, err := json.MarshalIndent(map[string]any{
		"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
		"address": "127.0.0.1", "port": port, "healthzBindAddress": "127.0.0.1", "healthzPort": health,
		"authentication":           map[string]any{"anonymous": map[string]any{"enabled": true}, "webhook": map[string]any{"enabled": false}},
		"authorization":            map[string]any{"mode": "AlwaysAllow"},
		"containerRuntimeEndpoint": "unix://" + containerdSocket,
		"providerID":               fmt.Sprintf("aws:///%s/%s", s.Node.Zone, s.Node.InstanceID),
		"cgroupDriver":             "cgroupfs", "cgroupRoot": "/" + s.cgroup(), "failCgroupV1": false, "failSwapOn": false,
		"enforceNodeAllocatable": []string{}, "resolvConf": resolv, "podLogsDir": s.Dir + "/logs/pods",
		"clusterDNS": []string{"10.96.0.10"}, "clusterDomain": "cluster.local", // nobody answers there
		"volumePluginDir": nodeKubeletDir + "/flexvolume", "imageGCHighThresholdPercent": 100, "imageGCLowThresholdPercent": 99,
		"evictionHard":         map[string]string{"memory.available": "1Mi", "nodefs.available": "0%", "imagefs.available": "0%", "nodefs.inodesFree": "0%"},
		"volumeStatsAggPeriod": "-1s",
		"kubeAPIQPS":           200, "kubeAPIBurst": 400, "registryPullQPS": 0, "eventRecordQPS": 0,
		"serializeImagePulls": false, "maxPods": 250, "fileCheckFrequency": "0s", "httpCheckFrequency": "0s",
	}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(s.data("node/kubelet.json"), config, 0o600)
}
