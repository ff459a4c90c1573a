package interceptor

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.temporal.io/sdk/temporal"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// Results of runs: Velero's phases where a run has one, and else these.
const (
	resultCompleted = "Completed"
	resultPartial   = "PartiallyFailed"
	resultFailed    = "Failed"
	resultCanceled  = "Canceled"
)

// resultOf is the result of a run that ended with an error.
func resultOf(err error) string {
	var canceled *temporal.CanceledError
	switch {
	case err == nil:
		return resultCompleted
	case errors.As(err, &canceled):
		return resultCanceled
	}
	return resultFailed
}

// Types of runs, as a label has them.
const (
	typeBackup       = "backup"
	typeRestore      = "restore"
	typeDryRun       = "dry-run" // of a restore
	typeDeletion     = "deletion"
	typeRehearsal    = "rehearsal"
	typeDrill        = "drill"
	typeVerification = "verification"
	typeCollection   = "collection" // of garbage
)

// typesByWorkflow are those that a run of a workflow is counted as. The others are not: their
// work is that of other runs, or of activities (see Runs.noteActivity).
func typesByWorkflow() map[string]string {
	return map[string]string{
		contract.BackupWorkflow: typeBackup, contract.RestoreWorkflow: typeRestore, contract.DeleteBackupWorkflow: typeDeletion, contract.RehearseWorkflow: typeRehearsal,
		contract.DrillWorkflow: typeDrill,
	}
}

// resultsByType are the results that are worth a zero from the start: a counter that begins
// with its first failure shows no increase.
func resultsByType() map[string][]string {
	return map[string][]string{
		typeBackup: {resultCompleted, resultPartial, resultFailed, resultCanceled}, typeRestore: {resultCompleted, resultPartial, resultFailed, resultCanceled},
		typeDryRun: {resultCompleted, resultFailed}, typeDeletion: {resultCompleted, resultFailed},
		typeRehearsal:    {contract.LevelEqual, contract.LevelAccepted, contract.LevelBytes, levelNone, resultFailed},
		typeDrill:        {resultPassed, resultNotPassed, resultFailed, resultCanceled},
		typeVerification: {contract.VerificationGood, contract.VerificationCorrupt, contract.VerificationGone, contract.VerificationFailed},
		typeCollection:   {resultCompleted, resultPartial},
	}
}

// Results of drills that left evidence.
const (
	resultPassed    = "Passed"
	resultNotPassed = "NotPassed"
)

// levelNone is the result of a rehearsal that has reached no level.
const levelNone = "none"

// instruments are those of runs. Their labels are types, results and kinds: no name.
type instruments struct {
	runs                    metric.Int64Counter
	duration                metric.Float64Histogram
	objects, bytes, volumes metric.Int64Counter
	removed                 metric.Int64Counter
	warnings                metric.Int64Counter
}

func newInstruments(m metric.Meter) (*instruments, error) {
	var i instruments
	var errs []error
	counter := func(to *metric.Int64Counter, name, unit, text string) {
		c, err := m.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(text))
		*to, errs = c, append(errs, err)
	}
	counter(&i.runs, "lifeboat.runs", "{run}", "Runs that have ended on this worker, by type and result.")
	counter(&i.objects, "lifeboat.run.objects", "{object}", "Objects of the cluster that runs have backed up, restored or compared.")
	counter(&i.bytes, "lifeboat.run.size", "By", "Bytes that runs have stored or read back.")
	counter(&i.volumes, "lifeboat.run.volumes", "{volume}", "Volumes that runs have backed up or restored.")
	counter(&i.warnings, "lifeboat.run.warnings", "{warning}", "Warnings of runs.")
	counter(&i.removed, "lifeboat.garbage.removed", "{thing}", "What collections of garbage have removed that nothing named any more.")
	var err error
	i.duration, err = m.Float64Histogram("lifeboat.run.duration", metric.WithUnit("s"),
		metric.WithDescription("How long runs took, by type and result; of a collection, how long it looked."),
		metric.WithExplicitBucketBoundaries(1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 43200))
	if errs = append(errs, err); errors.Join(errs...) != nil {
		return nil, errors.Join(errs...)
	}
	i.begin()
	return &i, nil
}

func (i *instruments) begin() {
	ctx := context.Background()
	for kind, results := range resultsByType() {
		for _, result := range results {
			i.runs.Add(ctx, 0, labels(kind, result))
		}
	}
	for _, kind := range []string{typeBackup, typeRestore} {
		for _, c := range []metric.Int64Counter{i.objects, i.volumes, i.warnings} {
			c.Add(ctx, 0, typeLabel(kind))
		}
	}
	for _, kind := range []string{typeBackup, typeVerification} {
		i.bytes.Add(ctx, 0, typeLabel(kind))
	}
	i.removed.Add(ctx, 0)
}

func typeLabel(kind string) metric.AddOption {
	return metric.WithAttributes(attribute.String("type", kind))
}

func labels(kind, result string) metric.MeasurementOption {
	return metric.WithAttributes(attribute.String("type", kind), attribute.String("result", result))
}

// ended is what a run or an activity has come to.
type ended struct {
	kind, result            string
	objects, bytes, volumes int64
	warnings                int64
	took                    time.Duration
}

func (i *instruments) record(ctx context.Context, e ended) {
	i.runs.Add(ctx, 1, labels(e.kind, e.result))
	i.duration.Record(ctx, e.took.Seconds(), labels(e.kind, e.result))
	for _, c := range []struct {
		counter metric.Int64Counter
		n       int64
	}{{i.objects, e.objects}, {i.bytes, e.bytes}, {i.volumes, e.volumes}, {i.warnings, e.warnings}} {
		if c.n > 0 {
			c.counter.Add(ctx, c.n, typeLabel(e.kind))
		}
	}
}
