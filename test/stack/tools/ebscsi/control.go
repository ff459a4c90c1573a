package main

import (
	"context"
	"fmt"
	"log/slog"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/lifeboat-backup/lifeboat/test/stack/tools/ebscsi/internal/cloud"
	"github.com/lifeboat-backup/lifeboat/test/stack/tools/ebscsi/internal/driver"
	"github.com/lifeboat-backup/lifeboat/test/stack/tools/ebscsi/internal/fakenode"
	"github.com/lifeboat-backup/lifeboat/test/stack/tools/ebscsi/internal/provision"
)

// control starts what watches the cluster: the provisioner and, if asked for, the
// attacher for fake nodes. It returns when their caches are filled.
func control(ctx context.Context, o options, ec2 *cloud.Client, controller *driver.Controller) error {
	client, dyn, err := clients(o.kubeconfig)
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	nodes := factory.Core().V1().Nodes()
	nodes.Informer() // registers it with the factory
	if o.fakeNodes {
		attacher, err := fakenode.New(ec2, slog.Default(), factory)
		if err != nil {
			return err
		}
		go attacher.Run(ctx)
	}
	factory.Start(ctx.Done())
	for kind, ok := range factory.WaitForCacheSync(ctx.Done()) {
		if !ok {
			return fmt.Errorf("fill cache of %v: %w", kind, context.Cause(ctx))
		}
	}
	p := &provision.Provisioner{Volumes: controller, Nodes: nodes.Lister(), Dynamic: dyn, Driver: o.driver, Identity: provision.NewIdentity(o.driver)}
	go p.Run(ctx, client)
	return nil
}

// clients have a QPS far above the default, which would set the pace of everything.
func clients(path string) (kubernetes.Interface, dynamic.Interface, error) {
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		return nil, nil, fmt.Errorf("read kubeconfig: %w", err)
	}
	config.QPS, config.Burst, config.UserAgent = 1000, 2000, "ebscsi"
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, nil, err
	}
	dyn, err := dynamic.NewForConfig(config)
	return client, dyn, err
}
