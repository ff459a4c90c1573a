package seal

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/backup"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
)

// Backup composes the tarball and the index out of staged chunks and writes every
// file of the backup but the one that makes it exist. It may repeat: the same
// staging gives the same bytes.
func Backup(ctx context.Context, b *backup.Service, p *heartbeat.Recorder, in contract.SealBackupInput) (contract.SealResult, error) {
	run, err := b.OpenStaged(ctx, in.Ref)
	if err != nil {
		return contract.SealResult{}, err
	}
	s, err := readStaged(ctx, run, in)
	if err != nil {
		return contract.SealResult{}, err
	}
	if err := s.composeAndCompare(ctx, b); err != nil {
		return contract.SealResult{}, err
	}
	p.Count(0, s.assembly.Totals.TarballBytes)
	files, err := s.writeSideFiles(ctx)
	if err != nil {
		return contract.SealResult{}, err
	}
	res := s.sealResult()
	res.Changes = s.changes
	res.Manifest, err = s.writeManifest(ctx, append(s.assembly.Files(run.Layout), files...))
	return res, err
}

// sealer has everything that the files of a backup are made of.
type sealer struct {
	run      *backup.Run
	notes    []*backup.ChunkNotes
	assembly archive.Assembly
	final    *backup.FinalVolumes
	reasons  []report.Reason // one of each object, for the log; see report.Group
	revision string          // the state of the cluster that the objects are of
	at       time.Time       // when that was the newest

	changes    *contract.BackupChanges // since the backup before
	uncompared error                   // why they are not known
}

// readStaged reads what the phases before have staged.
func readStaged(ctx context.Context, run *backup.Run, in contract.SealBackupInput) (*sealer, error) {
	notes, err := backup.ReadNotes(ctx, run, in.Chunks, in.Attempts)
	if err != nil {
		return nil, err
	}
	assembly, err := archive.Assemble(backup.ChunksOf(notes), run.Plan.Started)
	if err != nil {
		return nil, fmt.Errorf("assemble %s: %w", run.Layout.Name, err)
	}
	final, err := run.FinalVolumes(ctx)
	if err != nil {
		return nil, err
	}
	revision, at, err := run.Revision(ctx)
	if err != nil {
		return nil, err
	}
	s := &sealer{run: run, notes: notes, assembly: assembly, final: final, reasons: allReasons(run, notes, final), revision: revision, at: at}
	unread := func(r report.Reason) bool { return r.Code == report.ListFailed || r.Code == report.ReadFailed }
	if assembly.Totals.Objects == 0 && !slices.ContainsFunc(s.reasons, unread) {
		s.reasons = append(s.reasons, report.New(report.NothingSelected, "the filters select no object of the cluster"))
		report.Sort(s.reasons)
	}
	return s, nil
}

// composeArchive has the store make the tarball and the index out of the staged chunks.
// Uploads that a lost worker has left unfinished are aborted first; the name lock makes sure
// that no other worker is at it.
func (s *sealer) composeArchive(ctx context.Context) error {
	files := s.run.Layout
	if err := repository.AbortUploads(ctx, s.run.Store, layout.BackupDir(files.Name)); err != nil {
		return err
	}
	if err := repository.Compose(ctx, s.run.Store, files.Tarball(), s.assembly.Tarball); err != nil {
		return err
	}
	return repository.Compose(ctx, s.run.Store, files.Index(), s.assembly.Index)
}

// composeAndCompare composes the archive and meanwhile compares it with the backup before.
func (s *sealer) composeAndCompare(ctx context.Context, b *backup.Service) error {
	var unusual []report.Reason
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.composeArchive(ctx) })
	g.Go(func() error {
		staged, err := archive.OpenStaged(repository.NewSource(s.run.Store), backup.ChunksOf(s.notes))
		if err == nil {
			s.changes, unusual, err = b.JudgeChanges(ctx, s.run, staged, s.reasons)
		}
		s.uncompared = err // stands in the log; the backup is as good without
		return nil
	})
	err := g.Wait()
	if len(unusual) > 0 {
		s.reasons = append(s.reasons, unusual...)
		report.Sort(s.reasons)
	}
	return err
}

// sealResult counts what the workflow is told of the sealed backup.
func (s *sealer) sealResult() contract.SealResult {
	reasons := report.Group(s.reasons)
	n := report.Tally(reasons)
	res := contract.SealResult{
		Objects: s.assembly.Totals.Objects, Bytes: s.assembly.Totals.TarballBytes, Members: int(s.assembly.Totals.Members),
		Warnings: n.Warnings, Errors: n.Errors, Volumes: volumeCounts(s.final, &s.run.Plan.Volumes),
	}
	for _, r := range reasons[:min(len(reasons), report.ReasonsInResult)] {
		res.Reasons = append(res.Reasons, r.String())
	}
	return res
}

// allReasons returns the reasons of the plan, of the volumes and of all chunks, worst first.
func allReasons(o *backup.Run, notes []*backup.ChunkNotes, final *backup.FinalVolumes) []report.Reason {
	all := slices.Concat(o.Plan.Reasons, final.Reasons)
	for _, n := range notes {
		all = append(all, n.Reasons...)
	}
	report.Sort(all)
	return all
}

// revisionTime is when the revision was the newest state; zero if there is none.
func (s *sealer) revisionTime() time.Time {
	if s.revision == "" {
		return time.Time{}
	}
	return s.at
}

// snapshotTimes are the moments of the first and the last snapshot in the backup.
func (s *sealer) snapshotTimes() *archive.Moments {
	var out *archive.Moments
	for _, end := range s.final.Ended {
		switch at := end.At; {
		case end.Failed != "" || at.IsZero():
		case out == nil:
			out = &archive.Moments{First: at, Last: at}
		case at.Before(out.First):
			out.First = at
		case at.After(out.Last):
			out.Last = at
		}
	}
	return out
}

// plainTypes are the types whose objects are not of the revision, sorted.
func (s *sealer) plainTypes() []string {
	if s.revision == "" {
		return nil
	}
	all := slices.Clone(s.run.Plan.Plain)
	for _, n := range s.notes {
		all = append(all, n.Plain...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// writeManifest writes the manifest, by which every other file is checked, and returns its
// digest, which the Backup document carries.
func (s *sealer) writeManifest(ctx context.Context, files []archive.File) (string, error) {
	key := s.run.Layout.Manifest()
	data, err := archive.EncodeManifest(archive.Manifest{
		Backup: s.run.Layout.Name, UID: s.run.Plan.UID, Cluster: s.run.Plan.Run.Cluster, Created: s.run.Plan.Started,
		Files: files, Directory: s.assembly.Directory, Totals: s.assembly.Totals,
		Revision: s.revision, PlainTypes: s.plainTypes(), RevisionTime: s.revisionTime(), Snapshots: s.snapshotTimes(),
	})
	if err != nil {
		return "", err
	}
	return archive.Digest(data), repository.PutOnce(ctx, s.run.Store, key, data, "application/json")
}

// Verify reads every stored byte back and checks it against the manifest. Damage is an error
// that no retry mends.
func Verify(ctx context.Context, b *backup.Service, p *heartbeat.Recorder, in contract.VerifyBackupInput) (contract.VerifyResult, error) {
	if err := b.Locations.CheckPlace(in.Ref.Location, in.Ref.Binding.Place); err != nil {
		return contract.VerifyResult{}, err
	}
	_, st, err := b.Locations.Get(ctx, in.Ref.Location)
	if err != nil {
		return contract.VerifyResult{}, err
	}
	a, err := archive.Open(ctx, repository.NewSource(st), layout.Backup{Name: in.Ref.Name})
	if err != nil {
		return contract.VerifyResult{}, fmt.Errorf("read back %s: %w", in.Ref.Name, err)
	}
	if uid := a.Manifest().UID; uid != in.Ref.UID {
		return contract.VerifyResult{}, failure.Exists("name: files of backup %q were replaced by another run (uid %s)", in.Ref.Name, uid)
	}
	var res contract.VerifyResult
	err = a.Verify(ctx, func(n int64) {
		res.Bytes += n
		p.Count(0, n)
	})
	if err != nil {
		return res, fmt.Errorf("read back %s: %w", in.Ref.Name, err)
	}
	return res, nil
}
