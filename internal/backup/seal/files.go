package seal

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"

	"github.com/lifeboat-backup/lifeboat/internal/resource"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/backup"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
)

// sideFiles writes Velero's files beside the tarball (docs/VELERO.md 2.2), those of
// readers from 1.13 on included, and returns their digests.
func (s *seal) sideFiles(ctx context.Context) ([]archive.File, error) {
	list, err := s.resourceList(ctx)
	if err != nil {
		return nil, err
	}
	l := s.o.Layout
	none, final := []any{}, s.final
	docs := []struct {
		key string
		doc any
	}{
		{l.ResourceList(), list},
		{l.Results(), report.FromReasons(s.reasons)},
		{l.VolumeInfo(), volumeInfos(&s.o.Plan, final)},
		{l.VolumeSnapshots(), nativeSnapshotList(&s.o.Plan, final)},
		{l.PodVolumeBackups(), none},
		{l.ItemOperations(), none},
		{l.CSIVolumeSnapshots(), listed(final.Snapshots)},
		{l.CSIVolumeSnapshotContents(), listed(final.Contents)},
		{l.CSIVolumeSnapshotClasses(), listed(final.Classes)},
	}
	var files []archive.File
	for _, d := range docs {
		f, err := repository.PutGzipJSON(ctx, s.o.Store, d.key, d.doc)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	f, err := s.log(ctx)
	return append(files, f), err
}

// listed is a list that is never null.
func listed(all []json.RawMessage) []json.RawMessage {
	return append([]json.RawMessage{}, all...)
}

// resourceList names every object in the archive, by the index alone.
func (s *seal) resourceList(ctx context.Context) (report.ResourceList, error) {
	a, err := archive.OpenStaged(repository.NewSource(s.o.Store), backup.ChunksOf(s.notes))
	if err != nil {
		return nil, err
	}
	types := map[string]kube.Resource{}
	for _, r := range s.o.Plan.Resources {
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

// log writes what a person reads with `backup logs`: what was listed when, and
// every reason.
func (s *seal) log(ctx context.Context) (archive.File, error) {
	l := report.NewLog(0, slog.LevelInfo)
	p := s.o.Plan
	report.LogEvent(l, p.Started, "backup started", "backup", p.Backup.Name, "uid", p.UID, "cluster", p.Run.Cluster,
		"workflow", p.Run.WorkflowID, "kubernetes", p.Kubernetes.GitVersion, "storageLocation", p.Backup.Spec.StorageLocation)
	for _, shard := range p.Shards {
		for _, list := range shard.Lists {
			report.LogEvent(l, p.Planned, "to be listed", "shard", shard.ID, "resource", list.Type.GroupResource, "namespaces", len(list.Namespaces))
		}
	}
	last := p.Planned
	for _, n := range s.notes {
		report.LogEvent(l, n.Staged, "chunk staged", "key", n.Chunk.Key, "members", len(n.Chunk.Members), "bytes", n.Chunk.DataSize)
		last = n.Staged
	}
	report.LogEvent(l, last, "archive composed", "objects", s.asm.Totals.Objects, "members", s.asm.Totals.Members, "bytes", s.asm.Totals.TarballBytes)
	for _, e := range s.final.Ended {
		v := &p.Volumes.Volumes[e.Volume]
		report.LogEvent(l, e.At, "snapshot taken", "volume", v.PV, "claim", resource.ObjectName(v.Namespace, v.Claim), "path", v.Path, "snapshot", e.Handle(), "failed", e.Failed)
	}
	l.Reasons(last, s.reasons)
	var buf bytes.Buffer
	if err := l.Gzip(&buf); err != nil {
		return archive.File{}, fmt.Errorf("compress log: %w", err)
	}
	return repository.PutGzipFile(ctx, s.o.Store, s.o.Layout.Logs(), buf.Bytes())
}
