package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
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
	// Workers are those that polled the cluster's task queue in the last minutes.
	Workers []temporal.Poller `json:"workers,omitempty"`
}

type clientVersion struct {
	Version string `json:"version"`
	Commit  string `json:"gitCommit,omitempty"`
	Go      string `json:"go"`
}

func (a *app) versionCommand() *cobra.Command {
	var out console.Output
	var clientOnly bool
	c := &cobra.Command{
		Use:   "version",
		Short: "Show the version of this program and of the cluster's worker",
		Example: `  lifeboat version
  lifeboat version --client-only`,
		Args: cobra.NoArgs,
	}
	c.Flags().BoolVar(&clientOnly, "client-only", false, "do not ask the worker")
	out.BindFlag(c, show.FormatTable, show.FormatTable, show.FormatJSON, show.FormatYAML)
	c.RunE = func(c *cobra.Command, _ []string) error {
		v := versions{Client: thisVersion()}
		var err error
		if !clientOnly {
			err = a.askServer(c.Context(), &v)
		}
		if printErr := a.printVersions(v, out); printErr != nil {
			return printErr
		}
		return err
	}
	return c
}

// askServer fills in the part of the workers: of the one that answers, and who they are.
func (a *app) askServer(ctx context.Context, v *versions) error {
	ctx, cancel := context.WithTimeout(ctx, serverPatience)
	defer cancel()
	err := a.WithBackend(ctx, func(be console.Backend) error {
		res, err := be.Read(ctx, contract.ReadInput{Verb: contract.ReadServer})
		if err != nil {
			return err
		}
		v.Server = res.Server
		v.Workers, err = a.NoteDifferentWorkers(ctx, be)
		return err
	})
	if err != nil {
		return fmt.Errorf("ask the worker for its version: %w", err)
	}
	return nil
}

func (a *app) printVersions(v versions, out console.Output) error {
	if out.IsDocument() {
		return show.Document(a.Stdout, out.Format, v)
	}
	a.Say("Client:\n\tVersion: %s\n\tGit commit: %s\n\tGo: %s\n", v.Client.Version, show.Or(v.Client.Commit, "unknown"), v.Client.Go)
	if v.Server != nil {
		a.Say("Server:\n\tVersion: %s\n\tCluster: %s\n\tKubernetes: %s\n", v.Server.Version, v.Server.Cluster, v.Server.Kubernetes)
		a.Say("\tCluster UID: %s\n\tStorage locations: %s\n", show.Or(v.Server.ClusterUID, "unknown"), show.Or(v.Server.Configuration, "unknown"))
		if missing := v.Server.MissingSearchAttributes; len(missing) > 0 {
			a.Say("\tMissing search attributes: %s\n", strings.Join(missing, ", "))
		}
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
