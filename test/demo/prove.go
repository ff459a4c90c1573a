package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/lifeboat-backup/lifeboat/internal/repository/drills"
)

// prove shows what a backup is worth: all of it comes back in a control plane of its own, and the
// application in a copy beside itself. The evidence and its page stay in bin/.
func (t *story) prove(ctx context.Context) error {
	if t.o.Kubeconfig != "" {
		return nil // the programs of a control plane are built for a cluster of the demo's own only
	}
	if err := t.rehearse(ctx, t.shop.Shop()); err != nil {
		return err
	}
	t.s.step("Prove the application: a copy of it is restored, looked at, and removed; what was found is signed")
	return t.drill(ctx, t.shop.Shop(), "--from-backup", t.shop.Shop(), "--include-namespaces", t.shop.Shop()+","+t.shop.Data())
}

func (t *story) rehearse(ctx context.Context, backup string) error {
	t.s.step("Prove the backup: all of it is restored into a control plane of its own, and compared")
	return t.boat.run(ctx, t.s, "backup", "rehearse", backup, "--wait")
}

// drill runs a drill, checks its evidence and makes its page.
func (t *story) drill(ctx context.Context, args ...string) error {
	if err := t.boat.run(ctx, t.s, append(append([]string{"drill", "run"}, args...), "--wait")...); err != nil {
		return err
	}
	file, err := t.fetchEvidence(ctx)
	if err != nil {
		return err
	}
	public, page := t.boat.publicKey, filepath.Join(t.boat.bin, "drill.html")
	if err := t.boat.run(ctx, t.s, "drill", "verify", file, "--key", public); err != nil {
		return err
	}
	if err := t.boat.run(ctx, t.s, "drill", "report", file, "--key", public, "--html", page); err != nil {
		return err
	}
	t.s.say("The page of the drill: %s", page)
	return nil
}

// fetchEvidence copies the evidence of the last drill out of the bucket.
func (t *story) fetchEvidence(ctx context.Context) (string, error) {
	last, err := drills.Last(ctx, t.boat.Store, clusterName)
	if err == nil && last == nil {
		err = errors.New("there is none")
	}
	file := filepath.Join(t.boat.bin, "drill.json")
	if err == nil {
		err = os.WriteFile(file, last.Content, 0o600)
	}
	if err != nil {
		return "", fmt.Errorf("copy the evidence of the drill: %w", err)
	}
	return file, nil
}
