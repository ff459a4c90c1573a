package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Capability is one thing a location can or cannot do.
type Capability struct {
	// Name is a stable identifier such as "conditional-write".
	Name string
	OK   bool
	// Detail is what was found, or what went wrong.
	Detail string
	// Consequence is what it means for backups; empty when OK.
	Consequence string
	// Err is what went wrong; nil when OK.
	Err error
}

// checkTimeout bounds one check of a location, in all.
const checkTimeout = 2 * time.Minute

// readOnlyStore is implemented by stores that may refuse writes by
// configuration.
type readOnlyStore interface{ ReadOnly() bool }

// Check tries out what a location can do, in the order of its result. It writes below
// plugins/lifeboat/check/ only and removes what it wrote. A read-only location
// is checked for what reading needs.
func Check(ctx context.Context, st Store) []Capability {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	c := &check{store: st, dir: checkDir + strings.ToLower(rand.Text()) + "/"}
	c.runCheck(ctx, "list", "backups cannot be found", c.tryList)
	c.runCheck(ctx, "layout", "Velero marks the whole location unavailable while it holds directories it does not know", c.tryLayout)
	if ro, ok := st.(readOnlyStore); ok && ro.ReadOnly() {
		c.found = append(c.found, Capability{Name: "write", OK: true, Detail: "not tried: spec.accessMode is ReadOnly; restores only"})
		return c.found
	}
	c.runCheck(ctx, "write", "no backup can be stored", c.tryWrite)
	if !c.found[len(c.found)-1].OK {
		return c.found
	}
	c.runCheck(ctx, "read", "no backup can be restored", c.tryRead)
	c.runCheck(ctx, "range-read", "single objects cannot be restored without reading whole backups", c.tryRanges)
	c.runCheck(ctx, "conditional-write", "two backups of one name started at once may overwrite each other; the fact is recorded in each backup", c.tryConditional)
	c.runCheck(ctx, "compose", "the backup's file cannot be put together from its parts", c.tryCompose)
	c.runCheck(ctx, "part-copy", "putting a backup together reads and writes all its bytes through the worker", c.tryPartCopy)
	c.runCheck(ctx, "presigned-url", "logs, tarballs, lists of objects (describe --details) and plans of dry runs cannot be fetched by the CLI, only copied out of the bucket; backups and restores work", c.tryPresign)
	ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), abortTimeout) // clean up also after a timeout
	defer cancel()
	c.runCheck(ctx, "delete", "expired backups cannot be removed and staging fills up", c.tryDelete)
	return c.found
}

type check struct {
	store Store
	dir   string
	small []byte
	found []Capability
}

func (c *check) runCheck(ctx context.Context, name, consequence string, try func(context.Context) (string, error)) {
	detail, err := try(ctx)
	one := Capability{Name: name, OK: err == nil, Detail: detail}
	if err != nil {
		one.Detail, one.Consequence, one.Err = err.Error(), consequence, err
	}
	c.found = append(c.found, one)
}

// veleroDirs are the directories Velero tolerates at the root of a location.
func veleroDirs() []string {
	return []string{"backups", "kopia", "metadata", "plugins", "restic", "restores"}
}

func (c *check) tryList(ctx context.Context) (string, error) {
	names, err := c.store.Dirs(ctx, "backups")
	return fmt.Sprintf("%d backups", len(names)), err
}

func (c *check) tryLayout(ctx context.Context) (string, error) {
	names, err := c.store.Dirs(ctx, "")
	if err != nil {
		return "", err
	}
	known := veleroDirs()
	foreign := slices.DeleteFunc(names, func(n string) bool { return slices.Contains(known, n) })
	if len(foreign) == 0 {
		return "no foreign directories", nil
	}
	const show = 3
	more := ""
	if len(foreign) > show {
		more = fmt.Sprintf(" and %d more", len(foreign)-show)
	}
	return "", fmt.Errorf("foreign directories at the root: %s%s; move them, or give the location a prefix of its own",
		strings.Join(foreign[:min(show, len(foreign))], ", "), more)
}

func (c *check) tryWrite(ctx context.Context) (string, error) {
	c.small = []byte("lifeboat checks this location; safe to delete\n" + rand.Text())
	return "", c.store.Put(ctx, c.dir+"small", c.small, PutOptions{ContentType: "text/plain"})
}

func (c *check) tryRead(ctx context.Context) (string, error) {
	r, info, err := c.store.Get(ctx, c.dir+"small")
	if err != nil {
		return "", err
	}
	if info.Size != int64(len(c.small)) {
		_ = r.Close()
		return "", fmt.Errorf("%d bytes written, the store says %d", len(c.small), info.Size)
	}
	return "", compareBody(r, c.small)
}

func compareBody(r io.ReadCloser, want []byte) error {
	got, err := io.ReadAll(r)
	if err = errors.Join(err, r.Close()); err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("read %d bytes that differ from the %d written", len(got), len(want))
	}
	return nil
}

func (c *check) tryRanges(ctx context.Context) (string, error) {
	r, err := c.store.GetRange(ctx, c.dir+"small", 3, 7)
	if err != nil {
		return "", err
	}
	return "", compareBody(r, c.small[3:10])
}
