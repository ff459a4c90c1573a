package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

// version is set by the build (-ldflags "-X main.version=v1.2.3"); without, the
// module's own version is told.
var version string //nolint:gochecknoglobals // the linker can set nothing else

// serverPatience is how long `version` waits for the worker's part.
const serverPatience = 5 * time.Second

type versions struct {
	Client clientVersion          `json:"client"`
	Server *contract.ServerStatus `json:"server,omitempty"`
}

type clientVersion struct {
	Version string `json:"version"`
	Commit  string `json:"gitCommit,omitempty"`
	Go      string `json:"go"`
}

func (a *app) versionCommand() *cobra.Command {
	var out output
	var clientOnly bool
	c := &cobra.Command{
		Use:   "version",
		Short: "Show the version of this program and of the cluster's worker",
		Example: `  lifeboat version
  lifeboat version --client-only`,
		Args: cobra.NoArgs,
	}
	c.Flags().BoolVar(&clientOnly, "client-only", false, "do not ask the worker")
	out.bindFlag(c, show.FormatTable, show.FormatTable, show.FormatJSON, show.FormatYAML)
	c.RunE = func(c *cobra.Command, _ []string) error {
		v := versions{Client: thisVersion()}
		var err error
		if !clientOnly {
			v.Server, err = a.serverVersion(c.Context())
		}
		if printErr := a.printVersions(v, out); printErr != nil {
			return printErr
		}
		return err
	}
	return c
}

func (a *app) serverVersion(ctx context.Context) (*contract.ServerStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, serverPatience)
	defer cancel()
	var res contract.ReadResult
	err := a.withBackend(ctx, func(be backend) error {
		var err error
		res, err = be.Read(ctx, contract.ReadInput{Verb: contract.ReadServer})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("ask the worker for its version: %w", err)
	}
	return res.Server, nil
}

func (a *app) printVersions(v versions, out output) error {
	if out.isDocument() {
		return show.Document(a.stdout, out.format, v)
	}
	a.say("Client:\n\tVersion: %s\n\tGit commit: %s\n\tGo: %s\n", v.Client.Version, show.Or(v.Client.Commit, "unknown"), v.Client.Go)
	if v.Server != nil {
		a.say("Server:\n\tVersion: %s\n\tCluster: %s\n\tKubernetes: %s\n", v.Server.Version, v.Server.Cluster, v.Server.Kubernetes)
	}
	return nil
}

func thisVersion() clientVersion {
	out := clientVersion{Version: version, Go: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return out
	}
	if out.Version == "" {
		out.Version = info.Main.Version
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			out.Commit = setting.Value
		}
	}
	return out
}
