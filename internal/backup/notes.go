package backup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
)

// ChunkNotes is what is staged beside a chunk until the backup is sealed: the reasons and
// references of its objects. It grows with a chunk, never with the cluster.
type ChunkNotes struct {
	Chunk   archive.ChunkRef `json:"chunk"`
	Staged  time.Time        `json:"staged"`
	Reasons []report.Reason  `json:"reasons,omitempty"`
	Related []resource.Ref   `json:"related,omitempty"`
	Plain   []string         `json:"plain,omitempty"` // types of which objects are not of the revision

	seen map[resource.Ref]bool
}

// NewChunkNotes makes the notes of a chunk that is empty yet.
func NewChunkNotes() *ChunkNotes { return &ChunkNotes{seen: map[resource.Ref]bool{}} }

// IsEmpty reports whether there is nothing to stage but a chunk, if there is one.
func (n *ChunkNotes) IsEmpty() bool { return len(n.Reasons)+len(n.Related)+len(n.Plain) == 0 }

// AddReason adds a reason to the result of the backup.
func (n *ChunkNotes) AddReason(r report.Reason) { n.Reasons = append(n.Reasons, r) }

// AddRelated adds references to objects that the activity ExportRelated has to fetch, each
// once a chunk.
func (n *ChunkNotes) AddRelated(refs ...resource.Ref) {
	for _, r := range refs {
		if !n.seen[r] {
			n.seen[r] = true
			n.Related = append(n.Related, r)
		}
	}
}

// FetchWindow bounds how many related objects, or files of staging, are read at a time. The
// limiter of the cluster's client may allow less.
const FetchWindow = 16

// notesFiles are the names of the notes of all chunks, in the order of the archive. shards are
// the numbers of chunks.
func notesFiles(shards []int, attempts contract.ShardAttempts) []string {
	var names []string
	for shard, n := range shards {
		staged := attempts[shard]
		if len(staged) == 0 {
			staged = []contract.ChunkAttempt{{Chunks: n}}
		}
		chunk := 0
		for _, a := range staged {
			for range a.Chunks {
				names = append(names, repository.ChunkNotesFile(shard, chunk, a.Attempt))
				chunk++
			}
		}
	}
	return names
}

// ReadNotes reads the notes of all chunks, in the order of the archive.
func ReadNotes(ctx context.Context, run *Run, shards []int, attempts contract.ShardAttempts) ([]*ChunkNotes, error) {
	names := notesFiles(shards, attempts)
	out := make([]*ChunkNotes, len(names))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(FetchWindow)
	for i, name := range names {
		group.Go(func() error {
			out[i] = NewChunkNotes()
			return run.Staging.Get(ctx, name, out[i])
		})
	}
	if err := group.Wait(); err != nil {
		return nil, errors.Join(fmt.Errorf("read staged notes of %s", run.Layout.Name), err)
	}
	return out, nil
}

// ChunksOf returns the staged chunks of notes. Notes without objects have none.
func ChunksOf(notes []*ChunkNotes) []archive.ChunkRef {
	var out []archive.ChunkRef
	for _, n := range notes {
		if n.Chunk.DataSize > 0 {
			out = append(out, n.Chunk)
		}
	}
	return out
}

// TakeRelated returns the references and removes them from the notes.
func (n *ChunkNotes) TakeRelated() []resource.Ref {
	refs := n.Related
	n.Related, n.seen = nil, map[resource.Ref]bool{}
	return refs
}
