package activities

import (
	"context"
	"fmt"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// shardWriter stages one shard of the archive, chunk by chunk, and beside each chunk
// the notes that go with it.
type shardWriter struct {
	o        *opened
	recorder *heartbeat.Recorder
	shard    int
	chunk    int // number of the next chunk
	result   contract.ShardResult
	w        *archive.Writer
	note     *chunkNotes // what is to be remembered with the next chunk
}

// newShardWriter begins a shard at its first chunk. A chunk that an attempt before has
// staged is overwritten.
func newShardWriter(ctx context.Context, o *opened, recorder *heartbeat.Recorder, shard int) *shardWriter {
	s := &shardWriter{o: o, recorder: recorder, shard: shard, result: contract.ShardResult{Shard: shard}, note: newChunkNotes()}
	s.w = archive.NewWriter(archive.DefaultLimits(), o.plan.Started, func(c archive.Chunk) error { return s.stage(ctx, c) })
	return s
}

// close stages what is left. Reasons without an object still need a chunk to lie in.
func (s *shardWriter) close(ctx context.Context) error {
	if err := s.w.Flush(); err != nil {
		return err
	}
	if s.note.empty() {
		return nil
	}
	return s.stageNotes(ctx, archive.ChunkRef{})
}

// stage writes one chunk and its notes; the notes come second, so that a chunk
// with notes is whole.
func (s *shardWriter) stage(ctx context.Context, c archive.Chunk) error {
	key := s.o.stage.Key(repository.ChunkFile(s.shard, s.chunk))
	if err := s.o.st.Put(ctx, key, c.Staged, store.PutOptions{}); err != nil {
		return fmt.Errorf("stage chunk %d: %w", s.chunk, err)
	}
	s.result.Objects += int64(c.Objects())
	s.result.Bytes += int64(len(c.Data))
	s.recorder.Count(0, int64(len(c.Data)))
	return s.stageNotes(ctx, c.Ref(key))
}

func (s *shardWriter) stageNotes(ctx context.Context, ref archive.ChunkRef) error {
	s.note.Chunk, s.note.Staged = ref, time.Now().UTC()
	if err := s.o.stage.Put(ctx, repository.ChunkNotesFile(s.shard, s.chunk), s.note); err != nil {
		return err
	}
	n := report.Tally(s.note.Reasons)
	s.result.Warnings += n.Warnings
	s.result.Errors += n.Errors
	s.chunk++
	s.result.Chunks = s.chunk
	s.note = newChunkNotes()
	return nil
}
