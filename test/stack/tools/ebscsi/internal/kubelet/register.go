// Package kubelet tells the kubelet about the driver: it serves the registration
// socket that the kubelet's plugin watcher looks for.
package kubelet

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"

	"google.golang.org/grpc"
	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"
)

// Registration answers the kubelet's questions about the driver.
type Registration struct {
	registration.UnimplementedRegistrationServer
	Driver string
	Socket string // where the driver's node service listens
}

// Path is the socket to serve on, in the kubelet's plugins_registry directory.
func (r *Registration) Path(dir string) string {
	return filepath.Join(dir, r.Driver+"-reg.sock")
}

// Register adds the registration service to a server.
func (r *Registration) Register(s *grpc.Server) { registration.RegisterRegistrationServer(s, r) }

// GetInfo names the driver, its socket and the version of CSI that it speaks.
func (r *Registration) GetInfo(context.Context, *registration.InfoRequest) (*registration.PluginInfo, error) {
	return &registration.PluginInfo{
		Type: registration.CSIPlugin, Name: r.Driver, Endpoint: r.Socket, SupportedVersions: []string{"1.0.0"},
	}, nil
}

// NotifyRegistrationStatus takes the kubelet's verdict. A refusal is an error to
// the kubelet too, so that it tries again.
func (r *Registration) NotifyRegistrationStatus(_ context.Context, s *registration.RegistrationStatus) (*registration.RegistrationStatusResponse, error) {
	if !s.GetPluginRegistered() {
		return nil, fmt.Errorf("register at the kubelet: %s", s.GetError())
	}
	slog.Info("registered at the kubelet", "driver", r.Driver, "socket", r.Socket)
	return &registration.RegistrationStatusResponse{}, nil
}
