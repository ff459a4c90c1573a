package seal

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/backup"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// writeSideFiles writes Velero's files beside the tarball (docs/VELERO.md 2.2), those of
// readers from 1.13 on included, and returns their digests.
func (s *sealer) writeSideFiles(ctx context.Context) ([]archive.File, error) {
	list, err := s.resourceList(ctx)
	if err != nil {
		return nil, err
	}
	var files []archive.File
	for _, d := range s.sideDocuments(list) {
		f, err := repository.PutGzipJSON(ctx, s.run.Store, d.key, d.content)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	f, err := s.writeLog(ctx)
	return append(files, f), err
}

// sideDocument is a JSON file beside the tarball.
type sideDocument struct {
	key     string
	content any
}

func (s *sealer) sideDocuments(list report.ResourceList) []sideDocument {
	l, none, final := s.run.Layout, []any{}, s.final
	return []sideDocument{
		{l.ResourceList(), list},
		{l.Results(), report.FromReasons(report.Group(s.reasons))},
		{l.VolumeInfo(), volumeInfos(&s.run.Plan, final)},
		{l.VolumeSnapshots(), nativeSnapshotList(&s.run.Plan, final)},
		{l.PodVolumeBackups(), none},
		{l.ItemOperations(), none},
		{l.CSIVolumeSnapshots(), emptyIfNull(final.Snapshots)},
		{l.CSIVolumeSnapshotContents(), emptyIfNull(final.Contents)},
		{l.CSIVolumeSnapshotClasses(), emptyIfNull(final.Classes)},
	}
}

// emptyIfNull makes a list that is never null in JSON.
func emptyIfNull(all []json.RawMessage) []json.RawMessage {
	return append([]json.RawMessage{}, all...)
}

// resourceList names every object in the archive, by the index alone.
func (s *sealer) resourceList(ctx context.Context) (report.ResourceList, error) {
	a, err := archive.OpenStaged(repository.NewSource(s.run.Store), backup.ChunksOf(s.notes))
	if err != nil {
		return nil, err
	}
	types := map[string]kube.Resource{}
	for _, r := range s.run.Plan.Resources {
		types[r.GroupResource()] = r
	}
	list := report.ResourceList{}
	err = a.WalkEntries(ctx, 0, len(a.Members()), func(_ int, entries []archive.Entry) error {
		for _, e := range entries {
			t := types[e.Resource]
			list.Add(t.APIVersion(), t.Kind, e.Namespace, e.Name)
		}
		return nil
	})
	list.Sort()
	return list, err
}

// writeLog writes what a person reads with `backup logs`: what was listed when, what became
// of volumes, and every reason.
func (s *sealer) writeLog(ctx context.Context) (archive.File, error) {
	l := report.NewLog(0, slog.LevelInfo)
	s.logPlan(l)
	last := s.run.Plan.Planned
	for _, n := range s.notes {
		report.LogEvent(l, n.Staged, "chunk staged", "key", n.Chunk.Key, "members", len(n.Chunk.Members), "bytes", n.Chunk.DataSize)
		last = n.Staged
	}
	totals := s.assembly.Totals
	report.LogEvent(l, last, "archive composed", "objects", totals.Objects, "members", totals.Members, "bytes", totals.TarballBytes)
	s.logSnapshots(l)
	if s.uncompared != nil {
		report.LogEvent(l, last, "not compared with the backup before", "cause", s.uncompared.Error())
	}
	l.Reasons(last, s.reasons)
	var buf bytes.Buffer
	if err := l.Gzip(&buf); err != nil {
		return archive.File{}, fmt.Errorf("compress log: %w", err)
	}
	return repository.PutGzipFile(ctx, s.run.Store, s.run.Layout.Logs(), buf.Bytes())
}

func (s *sealer) logPlan(l *report.Log) {
	p := s.run.Plan
	report.LogEvent(l, p.Started, "backup started", "backup", p.Backup.Name, "uid", p.UID, "cluster", p.Run.Cluster,
		"workflow", p.Run.WorkflowID, "kubernetes", p.Kubernetes.GitVersion, "storageLocation", p.Backup.Spec.StorageLocation)
	for _, shard := range p.Shards {
		for _, list := range shard.Lists {
			report.LogEvent(l, p.Planned, "to be listed", "shard", shard.ID, "resource", list.Type.GroupResource, "namespaces", len(list.Namespaces))
		}
	}
}

func (s *sealer) logSnapshots(l *report.Log) {
	for _, e := range s.final.Ended {
		v := &s.run.Plan.Volumes.Volumes[e.Volume]
		report.LogEvent(l, e.At, "snapshot taken", "volume", v.PV, "claim", resource.ObjectName(v.Namespace, v.Claim), "path", v.Method, "snapshot", e.Handle(), "failed", e.Failed)
	}
}

// volumeInfos returns the entries of Velero's volumeinfo file (docs/VELERO.md 2.6): one for
// each volume of the backup, by its name.
func volumeInfos(p *backup.Plan, final *backup.FinalVolumes) []volume.Info {
	ends := map[int]*volume.EndedSnapshot{}
	for i := range final.Ended {
		ends[final.Ended[i].Volume] = &final.Ended[i]
	}
	out := []volume.Info{}
	for i := range p.Volumes.Volumes {
		if v := &p.Volumes.Volumes[i]; v.PV != "" {
			out = append(out, volume.InfoOf(v, ends[i]))
		}
	}
	return out
}

// nativeSnapshotList returns the entries of Velero's volumesnapshots file.
func nativeSnapshotList(p *backup.Plan, final *backup.FinalVolumes) []volume.NativeSnapshot {
	out := []volume.NativeSnapshot{}
	for i := range final.Ended {
		e := &final.Ended[i]
		entry, ok := volume.NativeSnapshotOf(&p.Volumes.Volumes[e.Volume], e)
		if !ok {
			continue
		}
		entry.Spec.BackupName, entry.Spec.BackupUID, entry.Spec.Location = p.Backup.Name, p.UID, p.Volumes.Location
		out = append(out, entry)
	}
	return out
}

// volumeCounts counts the snapshots and hooks as the status of the Backup document does.
func volumeCounts(f *backup.FinalVolumes, p *backup.VolumePlan) contract.VolumeCounts {
	n := volume.CountEnded(p.Volumes, f.Ended)
	return contract.VolumeCounts{
		NativeAttempted: n.NativeAttempted, NativeCompleted: n.NativeCompleted, CSIAttempted: n.CSIAttempted, CSICompleted: n.CSICompleted,
		HooksAttempted: f.Hooks.Attempted, HooksFailed: f.Hooks.Failed,
	}
}
