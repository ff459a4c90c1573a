package backup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
)

// ChunkNotes is what is remembered beside a staged chunk until the backup is
// sealed. It grows with a chunk, never with the cluster.
type ChunkNotes struct {
	Chunk   archive.ChunkRef `json:"chunk"`
	Staged  time.Time        `json:"staged"`
	Reasons []report.Reason  `json:"reasons,omitempty"`
	Related []resource.Ref   `json:"related,omitempty"`

	seen map[resource.Ref]bool
}

// NewChunkNotes is for a chunk of which nothing is remembered yet.
func NewChunkNotes() *ChunkNotes { return &ChunkNotes{seen: map[resource.Ref]bool{}} }

// IsEmpty tells that there is nothing to remember, so that no file is written.
func (n *ChunkNotes) IsEmpty() bool { return len(n.Reasons)+len(n.Related) == 0 }

// AddReason remembers a reason for the result of the backup.
func (n *ChunkNotes) AddReason(r report.Reason) { n.Reasons = append(n.Reasons, r) }

// AddRelated remembers references to objects, each once a chunk, for the activity Related.
func (n *ChunkNotes) AddRelated(refs ...resource.Ref) {
	for _, r := range refs {
		if !n.seen[r] {
			n.seen[r] = true
			n.Related = append(n.Related, r)
		}
	}
}

// FetchWindow is how many related objects are fetched at a time; the client's
// limiter has the last word.
const FetchWindow = 16

// ReadNotes reads the notes of all chunks, in the order of the archive.
func ReadNotes(ctx context.Context, s *Service, run *Run, shards []int) ([]*ChunkNotes, error) {
	var names []string
	for shard, n := range shards {
		for chunk := range n {
			names = append(names, repository.ChunkNotesFile(shard, chunk))
		}
	}
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
		return nil, errors.Join(fmt.Errorf("read staged notes of %s", run.Layout.Backup), err)
	}
	return out, nil
}

// ChunksOf are the staged chunks among notes; notes without objects have none.
func ChunksOf(notes []*ChunkNotes) []archive.ChunkRef {
	var out []archive.ChunkRef
	for _, n := range notes {
		if n.Chunk.DataSize > 0 {
			out = append(out, n.Chunk)
		}
	}
	return out
}

// TakeRelated returns the references that were noted, and forgets them.
func (n *ChunkNotes) TakeRelated() []resource.Ref {
	refs := n.Related
	n.Related, n.seen = nil, map[resource.Ref]bool{}
	return refs
}
