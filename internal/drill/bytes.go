package drill

import (
	"context"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
)

// VerifyBytes reads every byte of the backup and holds it against the manifest: L0. A backup
// that Velero made has no manifest: its tarball was read to its end, checksum included, when the
// restore was opened. What is damaged is a result. It may repeat.
func (s *Service) VerifyBytes(ctx context.Context, p *heartbeat.Recorder, in contract.CheckDrillInput) (contract.DrillBytes, error) {
	run, err := s.Restore.OpenRun(ctx, in.Ref.Restore)
	if err != nil {
		return contract.DrillBytes{}, err
	}
	if run.Archive.Foreign {
		return contract.DrillBytes{Foreign: true, Files: 1}, nil
	}
	out := contract.DrillBytes{Files: len(run.Arc.Manifest().Files)}
	err = run.Arc.Verify(ctx, func(n int64) {
		out.Bytes += n
		p.Count(0, n)
	})
	if archive.IsDamaged(err) {
		out.Damage, err = err.Error(), nil
	}
	return out, err
}
