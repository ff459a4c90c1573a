package seal

import (
	"context"
	"fmt"
	"slices"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
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
	o, err := b.Open(ctx, in.Ref)
	if err != nil {
		return contract.SealResult{}, err
	}
	notes, err := backup.ReadNotes(ctx, b, o, in.Chunks)
	if err != nil {
		return contract.SealResult{}, err
	}
	asm, err := archive.Assemble(backup.ChunksOf(notes), o.Plan.Started)
	if err != nil {
		return contract.SealResult{}, fmt.Errorf("assemble %s: %w", in.Ref.Name, err)
	}
	// Those of a worker that was killed while it composed; the claim makes sure that
	// nobody else is at it.
	if err := repository.AbortUploads(ctx, o.Store, archive.BackupDir(in.Ref.Name)); err != nil {
		return contract.SealResult{}, err
	}
	if err := repository.Compose(ctx, o.Store, o.Layout.Tarball(), asm.Tarball); err != nil {
		return contract.SealResult{}, err
	}
	if err := repository.Compose(ctx, o.Store, o.Layout.Index(), asm.Index); err != nil {
		return contract.SealResult{}, err
	}
	p.Count(0, asm.Totals.TarballBytes)
	final, err := o.FinalVolumes(ctx)
	if err != nil {
		return contract.SealResult{}, err
	}
	s := &seal{o: o, notes: notes, asm: asm, final: final, reasons: reasons(o, notes, final)}
	files, err := s.sideFiles(ctx)
	if err != nil {
		return contract.SealResult{}, err
	}
	digest, err := s.manifest(ctx, append(asm.Files(o.Layout), files...))
	res := s.result()
	res.Manifest = digest
	return res, err
}

// seal is what the side files are made of.
type seal struct {
	o       *backup.Run
	notes   []*backup.ChunkNotes
	asm     archive.Assembly
	final   *backup.FinalVolumes
	reasons []report.Reason
}

func (s *seal) result() contract.SealResult {
	n := report.Tally(s.reasons)
	res := contract.SealResult{
		Objects: s.asm.Totals.Objects, Bytes: s.asm.Totals.TarballBytes, Members: int(s.asm.Totals.Members),
		Warnings: n.Warnings, Errors: n.Errors, Volumes: volumeCounts(s.final, &s.o.Plan.Volumes),
	}
	for _, r := range s.reasons[:min(len(s.reasons), report.ReasonsInResult)] {
		res.Reasons = append(res.Reasons, r.String())
	}
	return res
}

// reasons are those of the plan, of the volumes and of all chunks, worst first.
func reasons(o *backup.Run, notes []*backup.ChunkNotes, final *backup.FinalVolumes) []report.Reason {
	all := slices.Concat(o.Plan.Reasons, final.Reasons)
	for _, n := range notes {
		all = append(all, n.Reasons...)
	}
	report.Sort(all)
	return all
}

// manifest writes the root of integrity and returns its digest, which the Backup
// document carries.
func (s *seal) manifest(ctx context.Context, files []archive.File) (string, error) {
	key := s.o.Layout.Manifest()
	data, err := archive.EncodeManifest(archive.Manifest{
		Backup: s.o.Layout.Backup, UID: s.o.Plan.UID, Cluster: s.o.Plan.Run.Cluster, Created: s.o.Plan.Started,
		Files: files, Directory: s.asm.Directory, Totals: s.asm.Totals,
	})
	if err != nil {
		return "", err
	}
	return archive.Digest(data), repository.PutOnce(ctx, s.o.Store, key, data, "application/json")
}

// Verify reads every stored byte back and holds it against the manifest. Damage
// is an error that no retry mends.
func Verify(ctx context.Context, b *backup.Service, p *heartbeat.Recorder, in contract.VerifyBackupInput) (contract.VerifyResult, error) {
	_, st, err := b.Locations.Get(ctx, in.Ref.Location)
	if err != nil {
		return contract.VerifyResult{}, err
	}
	a, err := archive.Open(ctx, repository.NewSource(st), archive.Layout{Backup: in.Ref.Name})
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
