package stack

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// startKwok makes two fake nodes in two zones and runs kwok, which plays their
// kubelets: Pods become Ready with an address, Pods of Jobs complete.
func (s *Stack) startKwok(ctx context.Context, o Options) error {
	binary, err := Binary("kwok")
	if err != nil {
		return err
	}
	stages, err := s.writeStages(o)
	if err != nil {
		return fmt.Errorf("write kwok stages: %w", err)
	}
	nodes := []string{"node-a", "node-b"}
	for i, name := range nodes {
		if err := s.makeNode(ctx, o, name, i); err != nil {
			return fmt.Errorf("make node %s: %w", name, err)
		}
	}
	if err := s.makeStorageClass(ctx, o); err != nil {
		return fmt.Errorf("make storage class: %w", err)
	}
	err = s.launch(ctx, "kwok", 1, func(ports []int) (*service, error) {
		return &service{Name: "kwok", Binary: binary, Health: "http://" + loopback(ports[0]) + "/healthz", Args: []string{
			"--kubeconfig=" + s.Kubeconfig, "--config=" + stages, "--server-address=" + loopback(ports[0]),
			"--manage-all-nodes=false", "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
			"--node-lease-duration-seconds=40", "--cidr=10.244.0.0/16", "--node-ip=10.0.0.1",
		}}, nil
	})
	if err != nil {
		return err
	}
	return s.waitNodes(ctx, nodes)
}

// writeStages joins kwok's own stage files into the one config file it reads.
func (s *Stack) writeStages(o Options) (string, error) {
	dir, err := Binary("kwok-stages")
	if err != nil {
		return "", err
	}
	patterns := []string{"node-*.yaml", "pod-*.yaml"}
	if o.KwokVolumes {
		patterns = append(patterns, "pv*.yaml")
	}
	var docs [][]byte
	for _, pattern := range patterns {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return "", err
		}
		for _, file := range files {
			doc, err := os.ReadFile(file)
			if err != nil {
				return "", err
			}
			docs = append(docs, doc)
		}
	}
	path := s.data("kwok-stages.yaml")
	return path, os.WriteFile(path, bytes.Join(docs, []byte("\n---\n")), 0o600)
}

// makeNode makes a node that looks like one of EKS to whoever reads zone,
// instance type and provider id.
func (s *Stack) makeNode(ctx context.Context, o Options, name string, i int) error {
	if err := s.makeInstance(ctx, o, name, i); err != nil {
		return err
	}
	zone := fakeZone(i)
	node := map[string]any{
		"apiVersion": "v1", "kind": "Node",
		"metadata": map[string]any{
			"name":        name,
			"annotations": map[string]string{"kwok.x-k8s.io/node": "fake"},
			"labels": map[string]string{
				"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
				"topology.kubernetes.io/region": ebsRegion, knownZoneKey: zone, ebsZoneKey: zone,
				"node.kubernetes.io/instance-type": "m6i.large",
			},
		},
		"spec": map[string]any{"providerID": "aws:///" + zone + "/" + s.fakeInstance(i)},
	}
	return s.applyObject(ctx, "/api/v1/nodes/"+name, node)
}

func fakeZone(i int) string { return ebsRegion + string(rune('a'+i)) }

func (s *Stack) makeStorageClass(ctx context.Context, o Options) error {
	if !o.KwokVolumes {
		return nil
	}
	const name = "kwok-volume" // the stages look for this name
	return s.applyObject(ctx, "/apis/storage.k8s.io/v1/storageclasses/"+name, map[string]any{
		"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
		"metadata": map[string]any{
			"name":        name,
			"annotations": map[string]string{"storageclass.kubernetes.io/is-default-class": "true"},
		},
		"provisioner": "kwok.x-k8s.io/volume", "reclaimPolicy": "Delete", "volumeBindingMode": "Immediate",
	})
}

// waitNodes waits until Pods can be scheduled: Ready, and the taint that every
// new node carries taken off by the controller manager.
func (s *Stack) waitNodes(ctx context.Context, names []string) error {
	for _, name := range names {
		err := poll(ctx, "wait for node "+name, func() (bool, error) {
			body, err := s.kube().get(ctx, "/api/v1/nodes/"+name)
			return err == nil && schedulable(body), nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func schedulable(body []byte) bool {
	var node struct {
		Spec struct {
			Taints []any
		}
	}
	return json.Unmarshal(body, &node) == nil && len(node.Spec.Taints) == 0 && hasCondition(body, "Ready")
}

func (s *Stack) applyObject(ctx context.Context, path string, object any) error {
	doc, err := json.Marshal(object)
	if err != nil {
		return err
	}
	return s.kube().apply(ctx, path, doc)
}
