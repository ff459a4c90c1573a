package backup

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// ShardWriter stages one shard of the archive, chunk by chunk, and beside each chunk
// the notes that go with it.
type ShardWriter struct {
	Run      *Run
	Recorder *heartbeat.Recorder
	shard    int
	attempt  string // token of the files that it stages
	Chunk    int    // number of the next chunk
	Result   contract.ShardResult
	Writer   *archive.Writer
	Notes    *ChunkNotes // those of the next chunk
}

// NewShardWriter begins a shard at its first chunk. What an attempt before this one has staged
// lies below other keys, and only what the result names is read.
func NewShardWriter(ctx context.Context, run *Run, recorder *heartbeat.Recorder, shard int) *ShardWriter {
	s := &ShardWriter{Run: run, Recorder: recorder, shard: shard, attempt: repository.NewAttempt(), Result: contract.ShardResult{Shard: shard}, Notes: NewChunkNotes()}
	s.Writer = archive.NewWriter(archive.DefaultLimits(), run.Plan.Started, func(c archive.Chunk) error { return s.stageChunk(ctx, c) })
	return s
}

// Close stages what is left. Notes are staged even without objects, because reasons would be
// lost with them.
func (s *ShardWriter) Close(ctx context.Context) error {
	if err := s.Writer.Flush(); err != nil {
		return err
	}
	if s.Notes.IsEmpty() {
		return nil
	}
	return s.stageNotes(ctx, archive.ChunkRef{})
}

// stageChunk writes one chunk and then its notes, so that a chunk that has notes is whole.
func (s *ShardWriter) stageChunk(ctx context.Context, c archive.Chunk) error {
	key := s.Run.Staging.Key(repository.ChunkFile(s.shard, s.Chunk, s.attempt))
	if err := s.Run.Store.Put(ctx, key, c.Staged, store.PutOptions{}); err != nil {
		return fmt.Errorf("stage chunk %d: %w", s.Chunk, err)
	}
	s.Result.Objects += int64(c.Objects())
	s.Result.Bytes += int64(len(c.Data))
	s.Recorder.Count(0, int64(len(c.Data)))
	return s.stageNotes(ctx, c.Ref(key))
}

func (s *ShardWriter) stageNotes(ctx context.Context, ref archive.ChunkRef) error {
	s.Notes.Chunk, s.Notes.Staged = ref, time.Now().UTC()
	if err := s.Run.Staging.Put(ctx, repository.ChunkNotesFile(s.shard, s.Chunk, s.attempt), s.Notes); err != nil {
		return err
	}
	n := report.Tally(s.Notes.Reasons)
	s.Result.Warnings += n.Warnings
	s.Result.Errors += n.Errors
	s.Chunk++
	s.Result.Chunks = s.Chunk
	s.Result.Attempts = countChunk(s.Result.Attempts, s.attempt)
	s.Notes = NewChunkNotes()
	return nil
}

// countChunk counts one more chunk of an attempt. It leaves the old counts alone, which a
// watermark may share.
func countChunk(counts []contract.ChunkAttempt, attempt string) []contract.ChunkAttempt {
	counts = slices.Clone(counts)
	if last := len(counts) - 1; last >= 0 && counts[last].Attempt == attempt {
		counts[last].Chunks++
		return counts
	}
	return append(counts, contract.ChunkAttempt{Attempt: attempt, Chunks: 1})
}
