package temporal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/serviceerror"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// StartDrill starts a restore drill; errors as StartBackup. With ErrExists comes the drill of
// the cluster that runs already.
func (c *Client) StartDrill(ctx context.Context, in contract.DrillInput) (Run, error) {
	opts := c.startOptions(KindDrill, in.Name)
	opts.StaticSummary = "Restore drill " + in.Name
	return c.startRun(ctx, KindDrill, in.Name, opts, in)
}

// KeepDrill asks the drill that runs to keep its copy for a while.
func (c *Client) KeepDrill(ctx context.Context, d time.Duration) error {
	return c.signalDrill(ctx, contract.KeepDrill, contract.KeepDrillInput{For: d})
}

// StopDrill asks the drill that runs to end early.
func (c *Client) StopDrill(ctx context.Context) error {
	return c.signalDrill(ctx, contract.StopDrill, nil)
}

func (c *Client) signalDrill(ctx context.Context, signal string, arg any) error {
	err := c.sdk.SignalWorkflow(ctx, contract.DrillID(c.cluster), "", signal, arg)
	var missing *serviceerror.NotFound
	if errors.As(err, &missing) {
		return fmt.Errorf("no drill of cluster %s is running: %w", c.cluster, ErrNotFound)
	}
	if err != nil {
		return fmt.Errorf("signal the drill of cluster %s: %w", c.cluster, explainError(err))
	}
	return nil
}
