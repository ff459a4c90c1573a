package stack

import (
	"context"
	"slices"
)

// onNode are the services of a node in the order in which they start again. A kubelet
// that finds no driver for a volume waits ever longer before it looks again.
func onNode() []string { return []string{"containerd", "ebscsi-node", "kubelet"} }

// PowerCycleNode ends everything on the node at once, as a machine does that loses
// its power, and starts it again: the kubelet brings its Pods back, and of their
// files those remain that are on disks.
func (s *Stack) PowerCycleNode(ctx context.Context) error {
	services := slices.DeleteFunc(onNode(), func(name string) bool {
		_, err := s.service(name)
		return err != nil // a node without EBS
	})
	for _, name := range services {
		if err := s.Kill(ctx, name); err != nil {
			return err
		}
	}
	for _, name := range services {
		if err := s.Resume(ctx, name); err != nil {
			return err
		}
		if name == "containerd" {
			if err := s.waitContainerd(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}
