package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
	"github.com/lifeboat-backup/lifeboat/starter/internal/listing"
	"github.com/lifeboat-backup/lifeboat/starter/internal/manifest"
)

// memory is a Lifeboat in memory: what is in its fields is what there is.
type memory struct {
	backups  []contract.BackupSummary
	restores []contract.RestoreSummary
	runs     map[temporal.Kind][]temporal.State
	reads    map[string]contract.ReadResult // by verb/name or verb
	results  map[string]any                 // result of a run, by name
	failures map[string]error               // of a run, by name
	unread   []contract.UnreadLocation
	refuse   map[string]error // reads, by verb
	asked    []contract.ReadInput
	samples  []temporal.Sample
	started  []any // inputs
	canceled []string
	pollers  []temporal.Poller
	silent   bool // the pollers do not answer
	clusters []string
}

func (m *memory) Cluster() string { return "prod" }
func (m *memory) Address() string { return "temporal:7233" }
func (m *memory) Close()          {}

func (m *memory) Clusters(context.Context) ([]string, error) { return m.clusters, nil }

func (m *memory) begin(kind temporal.Kind, name string, in any) (temporal.Run, error) {
	for _, s := range m.runs[kind] {
		if s.Name == name && s.Running {
			return temporal.Run{}, fmt.Errorf("%s %q: %w", kind.Noun(), name, temporal.ErrExists)
		}
	}
	m.started = append(m.started, in)
	return temporal.Run{Kind: kind, Name: name, WorkflowID: "id:" + name}, nil
}

func (m *memory) StartBackup(_ context.Context, in contract.BackupInput) (temporal.Run, error) {
	return m.begin(temporal.KindBackup, in.Name, in)
}

func (m *memory) StartDrill(_ context.Context, in contract.DrillInput) (temporal.Run, error) {
	return m.begin(temporal.KindDrill, in.Name, in)
}

func (m *memory) KeepDrill(_ context.Context, d time.Duration) error {
	m.started = append(m.started, contract.KeepDrillInput{For: d})
	return m.failures["keep"]
}

func (m *memory) StopDrill(context.Context) error { return m.failures["stop"] }

func (m *memory) StartRestore(_ context.Context, in contract.RestoreInput) (temporal.Run, error) {
	return m.begin(temporal.KindRestore, in.Name, in)
}

func (m *memory) StartDelete(_ context.Context, in contract.DeleteBackupInput) (temporal.Run, error) {
	run := temporal.Run{Kind: temporal.KindDelete, Name: in.Name, Location: in.Location, WorkflowID: "id:" + in.Name}
	for _, s := range m.runs[temporal.KindDelete] {
		if s.Name == in.Name && s.Location == in.Location && s.Running {
			return run, temporal.ErrExists
		}
	}
	m.started = append(m.started, in)
	return run, nil
}

func (m *memory) StartGarbage(_ context.Context, in contract.CollectGarbageInput) (temporal.Run, error) {
	return m.begin(temporal.KindGarbage, "", in)
}

func (m *memory) StartRetention(_ context.Context, in contract.SetRetentionInput) (temporal.Run, error) {
	return m.begin(temporal.KindRetain, in.Name, in)
}

func (m *memory) StartScheduleChange(_ context.Context, in contract.ChangeSchedulesInput) (temporal.Run, error) {
	return m.begin(temporal.KindSchedules, "schedules", in)
}

func (m *memory) TriggerSchedule(_ context.Context, drills bool, name, overlap string) error {
	if drills {
		overlap += " of drills"
	}
	m.started = append(m.started, name+" "+overlap)
	return nil
}

func (m *memory) StartRehearsal(_ context.Context, in contract.RehearseInput) (temporal.Run, error) {
	return m.begin(temporal.KindRehearsal, in.Backup, in)
}

func (m *memory) StartVerification(_ context.Context, in contract.VerifyBackupsInput) (temporal.Run, error) {
	return m.begin(temporal.KindVerify, "", in)
}

func (m *memory) Latest(_ context.Context, kind temporal.Kind, name string) (temporal.State, error) {
	for _, s := range m.runs[kind] {
		if s.Name == name {
			return s, nil
		}
	}
	return temporal.State{}, fmt.Errorf("%s %q: %w", kind.Noun(), name, temporal.ErrNotFound)
}

func (m *memory) Runs(_ context.Context, kind temporal.Kind) ([]temporal.State, error) {
	return m.runs[kind], nil
}

func (m *memory) Sample(context.Context, temporal.Run) (temporal.Sample, error) {
	if len(m.samples) == 0 {
		return temporal.Sample{}, nil
	}
	return m.samples[0], nil
}

// Follow ends at once for a run with a result or failure, and otherwise with ctx.
func (m *memory) Follow(ctx context.Context, run temporal.Run, result any, _ time.Duration, watch func(temporal.Sample)) error {
	for _, s := range m.samples {
		if watch != nil {
			watch(s)
		}
	}
	err := m.failures[run.Name]
	res, ok := m.results[run.Name]
	if drill, is := result.(*contract.DrillResult); is && ok && err != nil {
		*drill = res.(contract.DrillResult) // the error of a drill carries its result
	}
	if err != nil {
		return err
	}
	if !ok {
		<-ctx.Done()
		return ctx.Err()
	}
	switch out := result.(type) {
	case *contract.BackupResult:
		*out = res.(contract.BackupResult)
	case *contract.RestoreResult:
		*out = res.(contract.RestoreResult)
	case *contract.DrillResult:
		*out = res.(contract.DrillResult)
	case *contract.DeleteResult:
		*out = res.(contract.DeleteResult)
	case *contract.GarbageResult:
		*out = res.(contract.GarbageResult)
	case *contract.RehearsalResult:
		*out = res.(contract.RehearsalResult)
	case *contract.VerificationResult:
		*out = res.(contract.VerificationResult)
	case *contract.RetentionResult:
		*out = res.(contract.RetentionResult)
	case *contract.ChangeSchedulesResult:
		*out = res.(contract.ChangeSchedulesResult)
	}
	return nil
}

func (m *memory) Cancel(_ context.Context, run temporal.Run) error {
	m.canceled = append(m.canceled, run.Name)
	return nil
}

func (m *memory) Pollers(context.Context) ([]temporal.Poller, error) { return m.pollers, nil }

// RequireAnswer is refused by a memory whose pollers have ended, though they are listed.
func (m *memory) RequireAnswer(context.Context) error {
	switch {
	case len(m.pollers) == 0:
		return temporal.ErrNoWorker
	case m.silent:
		return temporal.ErrLost
	}
	return nil
}

func (m *memory) Read(_ context.Context, in contract.ReadInput) (contract.ReadResult, error) {
	m.asked = append(m.asked, in)
	if err := m.refuse[in.Verb]; err != nil {
		return contract.ReadResult{}, err
	}
	keys := []string{in.Verb + "/" + in.Name + "/" + in.File}
	if in.File != contract.FileManifest && in.File != contract.FileIndex { // which only backups of ours have
		keys = append(keys, in.Verb+"/"+in.Name, in.Verb)
	}
	for _, key := range keys {
		if res, ok := m.reads[key]; ok {
			return res, nil
		}
	}
	return contract.ReadResult{}, fmt.Errorf("%s %q: %w", in.Verb, in.Name, temporal.ErrNotFound)
}

func (m *memory) Backups(_ context.Context, selector, location string) (temporal.Listing[contract.BackupSummary], error) {
	match, err := listing.ParseMatcher(selector)
	out := temporal.Listing[contract.BackupSummary]{Unread: m.unread}
	for _, b := range m.backups {
		if match(b.Labels) && (location == "" || location == b.Location) {
			out.Rows = append(out.Rows, b)
		}
	}
	return out, err
}

func (m *memory) Restores(context.Context, string, string) (temporal.Listing[contract.RestoreSummary], error) {
	return temporal.Listing[contract.RestoreSummary]{Rows: m.restores, Unread: m.unread}, nil
}

// noon is the time of every test.
func noon() time.Time { return time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC) }

// result of one command line.
type result struct {
	code        int
	out, errors string
}

// lifeboat runs one command line against m.
func lifeboat(t *testing.T, m *memory, stdin string, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	code := testApp(m, stdin, &out, &errs).run(t.Context(), args)
	return result{code, out.String(), errs.String()}
}

func testApp(m *memory, stdin string, out, errs *bytes.Buffer) *app {
	a := newApp(strings.NewReader(stdin), out, errs)
	a.Now, a.Patience = noon, 10*time.Millisecond
	a.Dial = func(context.Context, string) (console.Backend, error) { return m, nil }
	return a
}

func (r result) want(t *testing.T, code int, words ...string) {
	t.Helper()
	if r.code != code {
		t.Errorf("code %d, want %d", r.code, code)
	}
	for _, w := range words {
		if !strings.Contains(r.out+r.errors, w) {
			t.Errorf("no %q", w)
		}
	}
	if t.Failed() {
		t.Logf("stdout:\n%s\nstderr:\n%s", r.out, r.errors)
	}
}

func backupDoc(name, phase string) velerov1.Backup {
	doc := manifest.BackupDocument(contract.BackupInput{Name: name})
	doc.Status.Phase = velerov1.BackupPhase(phase)
	return doc
}

func runState(kind temporal.Kind, name, phase string, running bool) temporal.State {
	return temporal.State{
		Run:   temporal.Run{Kind: kind, Name: name, WorkflowID: "id:" + name, RunID: "r"},
		Phase: phase, Running: running, Started: noon().Add(-time.Minute),
	}
}
