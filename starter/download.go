package main

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/starter/internal/fetch"
	"github.com/lifeboat-backup/lifeboat/starter/internal/show"
)

type downloadOptions struct {
	file     string
	force    bool
	location string
	trust    fetch.Options
}

func (a *app) backupDownload() *cobra.Command {
	o := &downloadOptions{}
	c := &cobra.Command{
		Use:   "download NAME",
		Short: "Download a backup's tarball",
		Long: `Download a backup's tarball, a plain Velero tarball that tar reads. Its checksums are
checked on the way, and the file appears under its name only when it is whole.

It holds the Secrets of the backup in clear: the file is readable by you alone.`,
		Example: `  lifeboat backup download nightly
  lifeboat backup download nightly -o /tmp/nightly.tar.gz --force`,
		Args:              oneName("backup"),
		ValidArgsFunction: a.backups().completeNames,
	}
	c.Flags().StringVarP(&o.file, "output", "o", "", "`file` to write (default: NAME-data.tar.gz here)")
	c.Flags().BoolVar(&o.force, "force", false, "overwrite the file")
	bindLocation(c, &o.location)
	bindTrust(c.Flags(), &o.trust)
	c.RunE = func(c *cobra.Command, args []string) error {
		if o.file == "" {
			o.file = args[0] + "-data.tar.gz"
		}
		return a.withBackend(c.Context(), func(be backend) error { return a.downloadBackup(c.Context(), be, o, args[0]) })
	}
	return c
}

func (a *app) downloadBackup(ctx context.Context, be backend, o *downloadOptions, name string) error {
	if _, err := os.Stat(o.file); err == nil && !o.force {
		return fmt.Errorf("%s exists already: choose another file with -o, or overwrite it with --force", o.file)
	}
	in := contract.ReadInput{Verb: contract.ReadBackupURL, Name: name, Location: o.location, File: contract.FileContents}
	body, _, err := a.openStored(ctx, be, in, o.trust)
	if err != nil {
		return err
	}
	defer body.Close() //nolint:errcheck // opened to read
	n, err := writeWhole(o.file, body)
	if err != nil {
		return fmt.Errorf("download backup %q: %w", name, err)
	}
	a.say("Backup %q is in %s (%s, checksums right).\n", name, o.file, show.Bytes(n))
	return nil
}

// writeWhole writes a gzip file and checks it on the way. The file takes its name
// only when it is complete.
func writeWhole(file string, r io.Reader) (n int64, err error) {
	// CreateTemp makes it mode 0600: it holds Secrets.
	part, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".part-")
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, part.Close(), os.Remove(part.Name()))
		}
	}()
	count := &counter{w: part}
	if err := checkGzip(io.TeeReader(r, count)); err != nil {
		return 0, err
	}
	if err := part.Sync(); err != nil {
		return 0, err
	}
	if err := part.Close(); err != nil {
		return 0, err
	}
	return count.n, os.Rename(part.Name(), file)
}

// checkGzip reads r to its end and checks the sum of every member.
func checkGzip(r io.Reader) error {
	unpacked, err := gzip.NewReader(r)
	if err != nil {
		return fmt.Errorf("not a gzip file: %w", err)
	}
	if _, err := io.Copy(io.Discard, unpacked); err != nil { //nolint:gosec // discarded, so a bomb costs time only
		return fmt.Errorf("the file arrived damaged or cut off: %w", err)
	}
	return nil
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
