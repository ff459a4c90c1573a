package main

import (
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/lifeboat-backup/lifeboat/test/stack/tools/ebscsi/internal/driver"
)

// options are the command line. Credentials and the admin token come from files
// that the environment names.
type options struct {
	mode        string // controller, node or all
	driver      string
	address     string
	kubeconfig  string
	health      string
	registry    string
	instance    string
	zone        string
	fakeNodes   bool
	endpoint    string
	adminTokens string
}

const (
	controllerMode = "controller"
	nodeMode       = "node"
	allMode        = "all"
)

func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("ebscsi", flag.ContinueOnError)
	flags.StringVar(&o.mode, "mode", allMode, "controller (with the provisioner), node or all")
	flags.StringVar(&o.driver, "driver", driver.Name, "name of the driver, or "+driver.AutoName)
	flags.StringVar(&o.address, "csi-address", "", "unix socket to serve CSI on")
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig for the provisioner")
	flags.StringVar(&o.health, "health", "", "host:port that answers /healthz once the driver works")
	flags.StringVar(&o.registry, "plugins-registry", "", "the kubelet's directory of registration sockets")
	flags.StringVar(&o.instance, "node-id", "", "instance id of this node")
	flags.StringVar(&o.zone, "zone", "", "availability zone of this node")
	flags.BoolVar(&o.fakeNodes, "fake-nodes", false, "attach volumes for the pods of kwok's nodes")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o.endpoint, o.adminTokens = os.Getenv("AWS_ENDPOINT_URL_EC2"), os.Getenv("EBSSIM_ADMIN_TOKEN_FILE")
	return o, o.validate()
}

func (o options) runs(mode string) bool { return o.mode == mode || o.mode == allMode }

func (o options) validate() error {
	var errs []error
	need := func(name, value string) {
		if value == "" {
			errs = append(errs, fmt.Errorf("%s: is required in mode %s", name, o.mode))
		}
	}
	if !o.runs(controllerMode) && !o.runs(nodeMode) {
		errs = append(errs, fmt.Errorf("--mode: want controller, node or all, got %q", o.mode))
	}
	if o.driver != driver.Name && o.driver != driver.AutoName {
		errs = append(errs, fmt.Errorf("--driver: %q is none of EBS's", o.driver))
	}
	need("--csi-address", o.address)
	need("AWS_ENDPOINT_URL_EC2", o.endpoint)
	if o.runs(controllerMode) {
		need("--kubeconfig", o.kubeconfig)
	}
	if o.runs(nodeMode) {
		need("--node-id", o.instance)
		need("--zone", o.zone)
		need("--plugins-registry", o.registry)
		need("EBSSIM_ADMIN_TOKEN_FILE", o.adminTokens)
	}
	return errors.Join(errs...)
}
