package activities

import (
	"context"
	"fmt"
	"slices"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
)

// sealBackup composes the tarball and the index out of staged chunks and writes every
// file of the backup but the one that makes it exist. It may repeat: the same
// staging gives the same bytes.
func sealBackup(ctx context.Context, b *Backup, p *heartbeat.Recorder, in contract.SealBackupInput) (contract.SealResult, error) {
	o, err := b.open(ctx, in.Ref)
	if err != nil {
		return contract.SealResult{}, err
	}
	notes, err := readNotes(ctx, b, o, in.Chunks)
	if err != nil {
		return contract.SealResult{}, err
	}
	asm, err := archive.Assemble(chunks(notes), o.plan.Started)
	if err != nil {
		return contract.SealResult{}, fmt.Errorf("assemble %s: %w", in.Ref.Name, err)
	}
	// Those of a worker that was killed while it composed; the claim makes sure that
	// nobody else is at it.
	if err := repository.AbortUploads(ctx, o.st, archive.BackupDir(in.Ref.Name)); err != nil {
		return contract.SealResult{}, err
	}
	if err := repository.Compose(ctx, o.st, o.layout.Tarball(), asm.Tarball); err != nil {
		return contract.SealResult{}, err
	}
	if err := repository.Compose(ctx, o.st, o.layout.Index(), asm.Index); err != nil {
		return contract.SealResult{}, err
	}
	p.Count(0, asm.Totals.TarballBytes)
	final, err := o.final(ctx)
	if err != nil {
		return contract.SealResult{}, err
	}
	s := &seal{o: o, notes: notes, asm: asm, final: final, reasons: reasons(o, notes, final)}
	files, err := s.sideFiles(ctx)
	if err != nil {
		return contract.SealResult{}, err
	}
	digest, err := s.manifest(ctx, append(asm.Files(o.layout), files...))
	res := s.result()
	res.Manifest = digest
	return res, err
}

// seal is what the side files are made of.
type seal struct {
	o       *opened
	notes   []*chunkNotes
	asm     archive.Assembly
	final   *finalVolumes
	reasons []report.Reason
}

// final is how the volumes ended; a backup without any has none.
func (o *opened) final(ctx context.Context) (*finalVolumes, error) {
	var f finalVolumes
	if len(o.plan.Volumes.Units) == 0 {
		return &f, nil
	}
	return &f, o.stage.Get(ctx, repository.FinalVolumesFile, &f)
}

func (s *seal) result() contract.SealResult {
	n := report.Tally(s.reasons)
	res := contract.SealResult{
		Objects: s.asm.Totals.Objects, Bytes: s.asm.Totals.TarballBytes, Members: int(s.asm.Totals.Members),
		Warnings: n.Warnings, Errors: n.Errors, Volumes: volumeCounts(s.final, &s.o.plan.Volumes),
	}
	for _, r := range s.reasons[:min(len(s.reasons), report.ReasonsInResult)] {
		res.Reasons = append(res.Reasons, r.String())
	}
	return res
}

// reasons are those of the plan, of the volumes and of all chunks, worst first.
func reasons(o *opened, notes []*chunkNotes, final *finalVolumes) []report.Reason {
	all := slices.Concat(o.plan.Reasons, final.Reasons)
	for _, n := range notes {
		all = append(all, n.Reasons...)
	}
	report.Sort(all)
	return all
}

// manifest writes the root of integrity and returns its digest, which the Backup
// document carries.
func (s *seal) manifest(ctx context.Context, files []archive.File) (string, error) {
	key := s.o.layout.Manifest()
	data, err := archive.EncodeManifest(archive.Manifest{
		Backup: s.o.layout.Backup, UID: s.o.plan.UID, Cluster: s.o.plan.Run.Cluster, Created: s.o.plan.Started,
		Files: files, Directory: s.asm.Directory, Totals: s.asm.Totals,
	})
	if err != nil {
		return "", err
	}
	return archive.Digest(data), repository.PutOnce(ctx, s.o.st, key, data, "application/json")
}

// verifyBackup reads every stored byte back and holds it against the manifest. Damage
// is an error that no retry mends.
func verifyBackup(ctx context.Context, b *Backup, p *heartbeat.Recorder, in contract.VerifyBackupInput) (contract.VerifyResult, error) {
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
