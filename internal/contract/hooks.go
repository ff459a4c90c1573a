package contract

import "time"

// RunRestoreHooksInput asks to run the hooks of restored pods, as soon as each pod's
// containers are up.
type RunRestoreHooksInput struct {
	Ref RestoreRef `json:"ref"`
	// Began is when the waiting began; it stays the same over retries.
	Began time.Time `json:"began"`
	// Wait bounds every wait for a container, in nanoseconds.
	Wait time.Duration `json:"wait"`
}

// HookResult says how hooks went. What became of each lies in staging.
type HookResult struct {
	Hooks    HookCounts `json:"hooks"`
	Warnings int        `json:"warnings"`
	Errors   int        `json:"errors"`
}

// HookCounts are Velero's counters of hooks. A hook whose container did not come up
// was attempted and has failed; one that was not run because one before it failed was
// not attempted.
type HookCounts struct {
	Attempted int `json:"hooksAttempted"`
	Failed    int `json:"hooksFailed"`
}

// Add adds o to c.
func (c *HookCounts) Add(o HookCounts) {
	c.Attempted += o.Attempted
	c.Failed += o.Failed
}
