package backups

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
	"github.com/lifeboat-backup/lifeboat/starter/internal/fetch"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
	"github.com/lifeboat-backup/lifeboat/starter/internal/stored"
)

type downloadOptions struct {
	file     string
	force    bool
	location string
	trust    fetch.Options
}

func (cs Commands) downloadCommand() *cobra.Command {
	o := &downloadOptions{}
	c := &cobra.Command{
		Use:   "download NAME",
		Short: "Download a backup's tarball",
		Long: `Download a backup's tarball, a plain Velero tarball that tar reads. Its size and
digests are held against the backup's manifest on the way, and the file appears under its
name only when it is what was stored. A tarball that Velero made has gzip's checksums only.

It holds the Secrets of the backup in clear: the file is readable by you alone.`,
		Example: `  lifeboat backup download nightly
  lifeboat backup download nightly -o /tmp/nightly.tar.gz --force`,
		Args:              console.OneName("backup"),
		ValidArgsFunction: cs.backups().CompleteNames,
	}
	c.Flags().StringVarP(&o.file, "output", "o", "", "`file` to write (default: NAME-data.tar.gz here)")
	c.Flags().BoolVar(&o.force, "force", false, "overwrite the file")
	console.BindLocation(c, &o.location)
	console.BindTrust(c.Flags(), &o.trust)
	c.RunE = func(c *cobra.Command, args []string) error {
		if o.file == "" {
			o.file = args[0] + "-data.tar.gz"
		}
		return cs.WithBackend(c.Context(), func(be console.Backend) error { return cs.downloadBackup(c.Context(), be, o, args[0]) })
	}
	return c
}

func (cs Commands) downloadBackup(ctx context.Context, be console.Backend, o *downloadOptions, name string) error {
	if _, err := os.Stat(o.file); err == nil && !o.force {
		return fmt.Errorf("%s exists already: choose another file with -o, or overwrite it with --force", o.file)
	}
	in := contract.ReadInput{Verb: contract.ReadBackupURL, Name: name, Location: o.location, File: contract.FileContents}
	body, _, err := stored.OpenStored(ctx, be.Read, in, o.trust)
	if err != nil {
		return err
	}
	defer body.Close() //nolint:errcheck // opened to read
	check, checked := fetch.CheckGzip, "gzip's checksums right; Velero made it, so there is no manifest to hold it against"
	opened, err := stored.OpenBackup(ctx, be.Read, name, o.location, o.trust)
	switch {
	case err == nil:
		check, checked = opened.CheckTarball, "as in its manifest"
	case !errors.Is(err, stored.ErrNoManifest):
		return err
	}
	n, err := fetch.Save(o.file, body, check)
	if err != nil {
		return fmt.Errorf("download backup %q: %w", name, err)
	}
	cs.Say("Backup %q is in %s (%s, %s).\n", name, o.file, show.Bytes(n), checked)
	return nil
}
