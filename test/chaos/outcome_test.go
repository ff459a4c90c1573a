//go:build stack

package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"slices"
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/test/compare"
)

// ranges reads archives out of a store.
type ranges struct{ st store.Store }

func (r ranges) ReadRange(ctx context.Context, file string, off, n int64) (io.ReadCloser, error) {
	return r.st.GetRange(ctx, file, off, n)
}

// content is what a backup holds.
type content struct {
	objects map[string]string // digest by object
	files   []string          // in the backup's directory
	tar     []string          // what a plain tar lists
}

func (l *lane) content(ctx context.Context, backup string) (*content, error) {
	files := layout.Backup{Name: backup}
	a, err := archive.Open(ctx, ranges{l.Store}, files)
	if err != nil {
		return nil, err
	}
	c := &content{objects: map[string]string{}}
	err = a.WalkEntries(ctx, 0, len(a.Members()), func(_ int, entries []archive.Entry) error {
		for _, e := range entries {
			if _, twice := c.objects[e.Key.String()]; twice {
				return fmt.Errorf("%s is in the archive twice", e.Key)
			}
			c.objects[e.Key.String()] = e.SHA256
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = l.Store.List(ctx, layout.BackupDir(backup), func(i store.Info) error {
		c.files = append(c.files, strings.ReplaceAll(i.Key, backup, "NAME"))
		return nil
	})
	if err != nil {
		return nil, err
	}
	c.tar, err = l.tar(ctx, files.Tarball())
	return c, errors.Join(err, a.Verify(ctx, func(int64) {}))
}

// tar lists the tarball with the system's own tar, as a user would.
func (l *lane) tar(ctx context.Context, key string) ([]string, error) {
	body, _, err := l.Store.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	cmd := exec.CommandContext(ctx, "tar", "tzf", "-")
	cmd.Stdin = body
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("tar tzf: %w", err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	slices.Sort(lines)
	return lines, nil
}

// differs says how two backups differ, in a few lines.
func (c *content) differs(o *content) error {
	var out []error
	for _, key := range slices.Sorted(maps.Keys(c.objects)) {
		if got := o.objects[key]; got != c.objects[key] {
			out = append(out, fmt.Errorf("%s: digest %q, undisturbed %q", key, got, c.objects[key]))
		}
	}
	if len(o.objects) != len(c.objects) {
		out = append(out, fmt.Errorf("%d objects, undisturbed %d", len(o.objects), len(c.objects)))
	}
	if !slices.Equal(o.files, c.files) {
		out = append(out, fmt.Errorf("files %v, undisturbed %v", o.files, c.files))
	}
	if !slices.Equal(o.tar, c.tar) {
		out = append(out, fmt.Errorf("tar lists %d entries, undisturbed %d", len(o.tar), len(c.tar)))
	}
	return errors.Join(out[:min(len(out), 5)]...)
}

// leftovers fails if anything of a run that has ended still lies about.
func (l *lane) leftovers(ctx context.Context) error {
	var out []error
	for _, dir := range []string{"plugins/lifeboat/staging/", "plugins/lifeboat/claims/", "plugins/lifeboat/tombstones/"} {
		err := l.Store.List(ctx, dir, func(i store.Info) error {
			out = append(out, fmt.Errorf("left behind: %s", i.Key))
			return nil
		})
		if err != nil {
			return err
		}
	}
	for _, dir := range []string{"backups/", "plugins/"} {
		n, err := l.Store.AbortUploads(ctx, dir)
		if err != nil {
			return err
		}
		if n > 0 {
			out = append(out, fmt.Errorf("left behind: %d unfinished uploads below %s", n, dir))
		}
	}
	return errors.Join(out[:min(len(out), 5)]...)
}

// absent fails if anything lies below a directory.
func (l *lane) absent(ctx context.Context, dir string) error {
	var out []error
	err := l.Store.List(ctx, dir, func(i store.Info) error {
		out = append(out, fmt.Errorf("left behind: %s", i.Key))
		return nil
	})
	return errors.Join(append(out, err)...)
}

// writtenOnce fails if a file of a backup was stored more than once: a bucket with
// versions or a retention lock would show.
func (l *lane) writtenOnce() error {
	stored := map[string]int{}
	for _, c := range l.s3.Calls() {
		method, target, _ := strings.Cut(c.Sig, " ")
		key, query, _ := strings.Cut(target, "?")
		whole := method == "PUT" && query == "" || method == "POST" && query == "uploadId"
		if whole && c.Status/100 == 2 && strings.Contains(key, "backups/") {
			stored[key]++
		}
	}
	var out []error
	for _, key := range slices.Sorted(maps.Keys(stored)) {
		if n := stored[key]; n > 1 {
			out = append(out, fmt.Errorf("%s was written %d times", key, n))
		}
	}
	if len(stored) == 0 {
		out = append(out, errors.New("no write to backups/ was seen"))
	}
	return errors.Join(out...)
}

// restored fails if the target namespace is not what the source was.
func (l *lane) restored(ctx context.Context, target string) error {
	want, err := l.want(target)
	if err != nil {
		return err
	}
	got, err := compare.TakePart(ctx, l.Kube, target, l.clusterObjects()...)
	if err != nil {
		return err
	}
	var out []error
	for _, d := range compare.Diff(want, got) {
		out = append(out, errors.New(d))
	}
	return errors.Join(out[:min(len(out), 8)]...)
}

// want is the state of the source under another name.
func (l *lane) want(target string) (compare.State, error) {
	raw, err := json.Marshal(l.state)
	if err != nil {
		return nil, err
	}
	text := strings.ReplaceAll(string(raw), l.source(), target)
	want := compare.State{}
	return want, json.Unmarshal([]byte(text), &want)
}

// controllerMade is how many objects of a namespace the controller manager makes as
// well (ServiceAccount default, ConfigMap kube-root-ca.crt): whether a restore finds
// or creates them depends on who comes first after an API server's restart.
const controllerMade = 2

// sameCounts compares a restore with the undisturbed one. An update that a killed
// worker had made is found equal by the next one.
func sameCounts(got, want contract.RestoreResult) error {
	g, w := got.Counts, want.Counts
	created := g.Created >= w.Created && g.Created <= w.Created+controllerMade
	if got.Phase != want.Phase || !created || g.Total() != w.Total() || g.Failed != 0 || got.Errors != want.Errors || got.Warnings != want.Warnings {
		return fmt.Errorf("%s %+v, %d warnings, %d errors %v; undisturbed %s %+v, %d warnings, %d errors %v",
			got.Phase, g, got.Warnings, got.Errors, got.Reasons, want.Phase, w, want.Warnings, want.Errors, want.Reasons)
	}
	return nil
}
