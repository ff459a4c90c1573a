package activities

import (
	"context"

	"github.com/lifeboat-backup/lifeboat/internal/catalog"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
)

// Catalog is the activity by which the CLI reads.
type Catalog struct {
	Reader *catalog.Reader
}

// ReadCatalog answers one read.
func (c *Catalog) ReadCatalog(ctx context.Context, _ *heartbeat.Recorder, in contract.ReadInput) (contract.ReadResult, error) {
	return c.Reader.Read(ctx, in)
}
