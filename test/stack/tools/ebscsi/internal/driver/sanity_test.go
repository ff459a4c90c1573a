package driver_test

import (
	"net"
	"path/filepath"
	"testing"

	"github.com/kubernetes-csi/csi-test/v5/pkg/sanity"
	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	"google.golang.org/grpc"

	"github.com/lifeboat-backup/lifeboat/test/stack/tools/ebscsi/internal/driver"
	"github.com/lifeboat-backup/lifeboat/test/stack/tools/ebscsi/internal/simtest"
)

// TestSanity holds identity and controller service to the CSI specification with
// the community's own suite. The node service mounts: it is tested with a kubelet.
func TestSanity(t *testing.T) {
	sim := simtest.Start(t)
	socket := filepath.Join(t.TempDir(), "csi.sock")
	serve(t, socket, &driver.Identity{Driver: driver.Name}, driver.NewController(sim.Cloud),
		&driver.Node{Cloud: sim.Cloud, VolumeDir: sim.Admin.VolumeDir, InstanceID: simtest.Instance, Zone: simtest.Zone})

	config := sanity.NewTestConfig()
	config.Address, config.TestVolumeSize = "unix://"+socket, 1<<30
	config.TargetPath, config.StagingPath = filepath.Join(t.TempDir(), "target"), filepath.Join(t.TempDir(), "stage")
	sanity.GinkgoTest(&config)
	gomega.RegisterFailHandler(ginkgo.Fail)
	suite, reporter := ginkgo.GinkgoConfiguration()
	suite.FocusStrings = []string{"Identity Service", "Controller Service", "NodeGetInfo", "NodeGetCapabilities"}
	// The real driver does not keep this one where a driver's look-ups are batched, its default.
	suite.SkipStrings = []string{"should return empty when the specified snapshot id does not exist"}
	ginkgo.RunSpecs(t, "CSI specification", suite, reporter)
}

func serve(t *testing.T, socket string, services ...interface{ Register(*grpc.Server) }) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	for _, service := range services {
		service.Register(server)
	}
	go server.Serve(listener)
	t.Cleanup(server.Stop)
}
