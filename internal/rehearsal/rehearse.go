package rehearsal

import (
	"context"
	"errors"
	"fmt"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/rehearsal/controlplane"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/repository/beside"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// Rehearse proves one backup. What is wrong with the backup is part of the result; the error
// is for what is no fault of it, and for input that no rehearsal is possible with. It may
// repeat: an attempt starts from scratch, and nothing of one that was lost is in the way.
func (s *Service) Rehearse(ctx context.Context, p *heartbeat.Recorder, in contract.RehearseInput) (contract.RehearsalResult, error) {
	found, _, err := repository.FindDocument[velerov1.Backup](ctx, s.Locations, in.Location, in.Backup, "backup", layout.Backup{Name: in.Backup}.Metadata())
	if err != nil {
		return contract.RehearsalResult{}, err
	}
	end, err := s.takeTurn(ctx)
	if err != nil {
		return contract.RehearsalResult{}, err
	}
	defer end()
	r := &rehearsal{Service: s, in: in, recorder: p, from: found, account: newAccount()}
	r.result = contract.RehearsalResult{
		Backup: in.Backup, UID: string(found.Value.UID), Location: found.Location.Name, Asked: in.KubernetesVersion, Started: s.now().UTC(),
	}
	if err := r.run(ctx); err != nil {
		return contract.RehearsalResult{}, err
	}
	r.finish()
	return r.store(ctx)
}

// rehearsal is one of them.
type rehearsal struct {
	*Service
	in       contract.RehearseInput
	recorder *heartbeat.Recorder
	from     repository.Answer[*velerov1.Backup]
	foreign  bool // Velero made the backup: it has no manifest
	manifest archive.Manifest
	account  *account
	result   contract.RehearsalResult
}

// run goes through the phases. What ends it early is a problem of the backup.
func (r *rehearsal) run(ctx context.Context) error {
	serviceRange, err := r.checkBytes(ctx)
	if err == nil {
		err = r.restoreAll(ctx, controlplane.Spec{Version: r.in.KubernetesVersion, ServiceRange: serviceRange})
	}
	switch {
	case archive.IsDamaged(err), errors.Is(err, archive.ErrVersion):
		r.result.Level = ""
		r.account.addProblem(newProblem(Damaged, err.Error()))
		return nil
	case isRefusal(err):
		r.account.addProblem(newProblem(RestoreRefused, err.Error()))
		return nil
	}
	return err
}

// refusalError is what a restore refuses to begin with.
type refusalError struct{ error }

func (e refusalError) Unwrap() error { return e.error }

func isRefusal(err error) bool {
	var refused refusalError
	return errors.As(err, &refused) && failure.TypeOf(err) != ""
}

// checkBytes reads every byte of the backup and holds it against the manifest: level 0. A
// backup that Velero made has no manifest; its bytes are read when it is opened. It also
// returns the range of addresses of Services.
func (r *rehearsal) checkBytes(ctx context.Context) (string, error) {
	files := layout.Backup{Name: r.in.Backup}
	_, err := r.from.Store.Head(ctx, files.Manifest())
	if errors.Is(err, store.ErrNotFound) {
		r.foreign = true
		return "", nil
	}
	if err != nil {
		return "", err
	}
	a, err := archive.Open(ctx, repository.NewSource(r.from.Store), files)
	if err != nil {
		return "", err
	}
	if err := a.Verify(ctx, func(n int64) { r.recorder.Count(0, n) }); err != nil {
		return "", err
	}
	r.manifest, r.result.Level = a.Manifest(), contract.LevelBytes
	return serviceRange(ctx, a)
}

// restoreAll restores and compares in a control plane of its own, which is gone afterwards.
func (r *rehearsal) restoreAll(ctx context.Context, spec controlplane.Spec) (err error) {
	plane, err := r.Planes.Start(ctx, spec)
	if err != nil {
		return fmt.Errorf("start a control plane: %w", err)
	}
	defer func() {
		used, stopErr := plane.Stop()
		r.result.Usage = contract.RehearsalUsage{CPUSeconds: used.CPUSeconds, MemoryMiB: used.MemoryBytes >> 20}
		err = errors.Join(err, stopErr)
	}()
	r.result.Kubernetes = plane.Version
	client, err := kube.New(plane.Config, kube.Options{MaxInFlight: r.Config.Limits.ApplyConcurrency, UserAgent: "lifeboat-rehearsal"})
	if err != nil {
		return err
	}
	defer client.Close()
	return whileRunning(ctx, plane, func(ctx context.Context) error {
		d := newDriver(r, client)
		if err := d.restore(ctx); err != nil {
			return err
		}
		return d.compare(ctx)
	})
}

// whileRunning does something in a control plane, and ends it when the control plane ends: its
// requests would be tried again for a minute and more.
func whileRunning(ctx context.Context, plane *controlplane.Plane, do func(context.Context) error) error {
	running, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case err := <-plane.Ended:
			cancel(fmt.Errorf("the control plane did not live to the end: %w", err))
		case <-running.Done():
		}
	}()
	err := do(running)
	if cause := context.Cause(running); err != nil && cause != nil && ctx.Err() == nil {
		return cause
	}
	return err
}

// finish sums up, and says which level was reached.
func (r *rehearsal) finish() {
	r.result.Completed = r.now().UTC()
	r.account.fill(&r.result)
	compared := r.account.compared
	switch {
	case !compared || r.result.Counts.Refused > 0:
	case r.result.Counts.Different > 0:
		r.result.Level = contract.LevelAccepted
	default:
		r.result.Level = contract.LevelEqual
	}
}

// store keeps the result beside the backup. A location that is ReadOnly, or of Velero's
// backups, is not written to: the result is then in the workflow's alone.
func (r *rehearsal) store(ctx context.Context) (contract.RehearsalResult, error) {
	_, st, err := r.Locations.Writable(ctx, r.result.Location)
	if r.foreign || failure.TypeOf(err) != "" {
		return r.bounded(), nil
	}
	if err != nil {
		return r.result, err
	}
	r.result.Stored = true
	if err := beside.WriteRehearsal(ctx, st, r.result); err != nil {
		return r.result, err
	}
	return r.bounded(), nil
}

// problemsInResult bounds what a workflow returns: a problem is some 300 bytes and 1,500 at most,
// of the 2 MB that Temporal takes and the 4 MiB that are read of the document in the bucket.
const (
	problemsInResult   = 500
	problemsInDocument = 2000
	longestMessage     = 1000 // in bytes
)

// bounded is the result as a workflow may return it.
func (r *rehearsal) bounded() contract.RehearsalResult {
	out := r.result
	if more := len(out.Problems) - problemsInResult; more > 0 {
		out.Problems, out.MoreProblems = out.Problems[:problemsInResult], out.MoreProblems+more
	}
	return out
}

// newProblem is a problem of a code of this package.
func newProblem(code report.Code, message string) report.Reason {
	r := report.New(code, message)
	r.Next = nextStep(code)
	return r
}
