package temporal

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

func TestExplainError(t *testing.T) {
	activity := func(errType string) error {
		return temporal.NewNonRetryableApplicationError("the words", errType, nil)
	}
	for name, tc := range map[string]struct {
		err  error
		text string
		is   error
	}{
		"application":   {activity("Other"), "the words", nil},
		"not found":     {activity(contract.ErrTypeNotFound), "the words", ErrNotFound},
		"locked":        {activity(contract.ErrTypeLocked), "the words", ErrLocked},
		"exists":        {activity(contract.ErrTypeExists), "the words", ErrExists},
		"no workflow":   {serviceerror.NewNotFound("workflow not found"), "workflow not found", ErrNotFound},
		"unavailable":   {serviceerror.NewUnavailable("refused"), "refused", ErrLost},
		"busy":          {serviceerror.NewResourceExhausted(enumspb.RESOURCE_EXHAUSTED_CAUSE_RPS_LIMIT, "slow down"), "slow down", ErrLost},
		"timeout":       {context.DeadlineExceeded, "context deadline exceeded", ErrLost},
		"anything else": {errors.New("x"), "x", nil},
	} {
		got := explainError(tc.err)
		if got.Error() != tc.text {
			t.Errorf("%s: %q, want %q", name, got, tc.text)
		}
		for _, sentinel := range []error{ErrNotFound, ErrExists, ErrLocked, ErrLost, ErrNoWorker} {
			if errors.Is(got, sentinel) != errors.Is(tc.is, sentinel) {
				t.Errorf("%s: errors.Is(%v, %v) is wrong", name, got, sentinel)
			}
		}
	}
}

// TestNameIsAnArgument: workers say which field of an input is wrong. To a user of the program a
// name is an argument: no message begins with the field.
func TestNameIsAnArgument(t *testing.T) {
	refusal := func(text string) error {
		return temporal.NewNonRetryableApplicationError(text, contract.ErrTypeNotFound, nil)
	}
	for said, want := range map[string]string{
		`name: no backup "foo" in storage location default`: `no backup "foo" in storage location default`,
		`name: restore "r" already exists`:                  `restore "r" already exists`,
		`spec.ttl: "-1h" is negative`:                       `spec.ttl: "-1h" is negative`,
		`name of the key: empty`:                            `name of the key: empty`,
	} {
		if got := explainError(refusal(said)).Error(); got != want {
			t.Errorf("of a read: %q, want %q", got, want)
		}
		ended := runFailure(Run{Kind: KindBackup, Name: "foo"}, errors.Join(&temporal.WorkflowExecutionError{}, refusal(said)))
		if got, want := ended.Error(), `backup "foo": Failed: `+want; got != want || !errors.Is(ended, ErrNotFound) {
			t.Errorf("of a run: %q (%v), want %q", got, errors.Is(ended, ErrNotFound), want)
		}
	}
}

// TestRunErrorNames: what is about no one thing has no empty name.
func TestRunErrorNames(t *testing.T) {
	for want, run := range map[string]Run{
		`backup "b": Failed: x`:          {Kind: KindBackup, Name: "b"},
		`change of schedules: Failed: x`: {Kind: KindSchedules},
		`garbage collection: Failed: x`:  {Kind: KindGarbage},
		`restore "r": Failed: x`:         {Kind: KindRestore, Name: "r"},
	} {
		if got := (&RunError{Run: run, Phase: "Failed", Message: "x"}).Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestPhaseOf(t *testing.T) {
	for _, tc := range []struct {
		status         enumspb.WorkflowExecutionStatus
		recorded, want string
	}{
		{enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, "", "InProgress"},
		{enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, "Finalizing", "Finalizing"},
		{enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, "PartiallyFailed", "PartiallyFailed"},
		{enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, "", "Completed"},
		{enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED, "InProgress", "Canceled"},
		{enumspb.WORKFLOW_EXECUTION_STATUS_FAILED, "FailedValidation", "FailedValidation"},
		{enumspb.WORKFLOW_EXECUTION_STATUS_FAILED, "InProgress", "Failed"},
		{enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, "InProgress", "Failed"},
		{enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT, "", "Failed"},
	} {
		if got := phaseOf(tc.status, tc.recorded); got != tc.want {
			t.Errorf("%v, %q: got %s, want %s", tc.status, tc.recorded, got, tc.want)
		}
	}
}

func payload(t *testing.T, v any) *commonpb.Payload {
	t.Helper()
	p, err := converter.GetDefaultDataConverter().ToPayload(v)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestDecodeState(t *testing.T) {
	c := &Client{Connection: &Connection{converter: converter.GetDefaultDataConverter()}, cluster: "prod"}
	info := &workflowpb.WorkflowExecutionInfo{
		Execution: &commonpb.WorkflowExecution{WorkflowId: "backup:prod:nightly", RunId: "r"},
		Status:    enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING,
		Memo: &commonpb.Memo{Fields: map[string]*commonpb.Payload{
			memoLocation: payload(t, "west"), memoSelector: payload(t, 7), memoLabels: payload(t, map[string]string{"a": "b"}), memoDryRun: payload(t, "true"),
			contract.MemoResult: payload(t, contract.RestoreResult{Errors: 2}),
		}},
	}
	s := c.decodeState(KindBackup, info)
	if s.Name != "nightly" || !s.Running || s.Location != "west" || s.Selector != "" || s.Labels["a"] != "b" || !s.DryRun || !s.Closed.IsZero() || s.Result == nil || s.Result.Errors != 2 {
		t.Errorf("%+v", s)
	}
	info.SearchAttributes = &commonpb.SearchAttributes{IndexedFields: map[string]*commonpb.Payload{
		contract.SearchName: payload(t, "other"), contract.SearchPhase: payload(t, "Finalizing"),
	}}
	if s := c.decodeState(KindBackup, info); s.Name != "other" || s.Phase != "Finalizing" {
		t.Errorf("%+v", s)
	}
}

func TestMergeSamples(t *testing.T) {
	sample := func(step string, objects int64, trouble string) Sample {
		return Sample{Progress: contract.Progress{Phase: "InProgress", Step: step, Objects: objects}, Trouble: trouble}
	}
	for name, tc := range map[string]struct{ last, next, want Sample }{
		"forward":        {sample("a", 5, ""), sample("a", 7, ""), sample("a", 7, "")},
		"not backward":   {sample("a", 5, ""), sample("a", 3, ""), sample("a", 5, "")},
		"next step":      {sample("a", 5, ""), sample("b", 3, ""), sample("b", 3, "")},
		"no answer":      {sample("a", 5, ""), sample("", 0, "silent"), sample("a", 5, "silent")},
		"answers again":  {sample("a", 5, "silent"), sample("a", 6, ""), sample("a", 6, "")},
		"first of all":   {Sample{}, sample("", 0, ""), sample("", 0, "")},
		"first answered": {Sample{}, sample("a", 1, ""), sample("a", 1, "")},
	} {
		if got := mergeSamples(tc.last, tc.next); got != tc.want {
			t.Errorf("%s: got %+v, want %+v", name, got, tc.want)
		}
	}
}

func TestRetryTrouble(t *testing.T) {
	a := &workflowpb.PendingActivityInfo{
		ActivityType: &commonpb.ActivityType{Name: "ExportShard"}, Attempt: 3,
		LastFailure: &failurepb.Failure{Message: "outer", Cause: &failurepb.Failure{Message: "list pods: connection refused"}},
	}
	if got := retryTrouble(a); got != "ExportShard, attempt 3: list pods: connection refused" {
		t.Errorf("got %q", got)
	}
	a.Attempt = 1
	if got := retryTrouble(a); got != "" {
		t.Errorf("a first attempt is no trouble: %q", got)
	}
}

func TestDecodeHeartbeat(t *testing.T) {
	c := &Client{Connection: &Connection{converter: converter.GetDefaultDataConverter()}}
	beat := contract.Heartbeat{Objects: 5, Bytes: 7, Cursor: []byte("x")}
	if got := c.decodeHeartbeat(&commonpb.Payloads{Payloads: []*commonpb.Payload{payload(t, beat)}}); got.Objects != 5 || got.Bytes != 7 {
		t.Errorf("%+v", got)
	}
	if got := c.decodeHeartbeat(&commonpb.Payloads{Payloads: []*commonpb.Payload{payload(t, "text")}}); got.Objects != 0 {
		t.Errorf("%+v", got)
	}
	if hasOwnObjects(contract.VerifyBackup.Name) || !hasOwnObjects(contract.ExportShard.Name) || !hasOwnObjects(contract.ApplyTask.Name) {
		t.Error("verifying passes over objects that are counted already")
	}
}

func TestDetails(t *testing.T) {
	in := contract.RestoreInput{Names: make([]string, 12)}
	in.Spec.BackupName, in.Spec.NamespaceMapping = "b", map[string]string{"x": "y", "a": "b"}
	got := restoreDetails(in)
	for _, want := range []string{"- **backup**: `b`\n", "- **namespace a becomes**: `b`\n- **namespace x becomes**: `y`\n", "and 2 more"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if got := backupDetails(contract.BackupInput{}); got != "" {
		t.Errorf("got %q", got)
	}
}

func TestConnectionSettings(t *testing.T) {
	env := variables{"TEMPORAL_ADDRESS": "temporal.example:7233", "TEMPORAL_NAMESPACE": "backups", "TEMPORAL_API_KEY": "s3cr3t", "TEMPORAL_CONFIG_FILE": "/does/not/exist"}
	opts, err := loadClientOptions(Options{Env: env})
	if err != nil {
		t.Fatal(err)
	}
	if opts.HostPort != "temporal.example:7233" || opts.Namespace != "backups" || opts.Credentials == nil || opts.ConnectionOptions.TLS == nil {
		t.Errorf("%s %s %v", opts.HostPort, opts.Namespace, opts.Credentials)
	}
	opts, err = loadClientOptions(Options{Env: variables{"TEMPORAL_CONFIG_FILE": "/does/not/exist"}})
	if err != nil || opts.HostPort != "localhost:7233" || opts.Namespace != "default" || opts.ConnectionOptions.TLS != nil {
		t.Errorf("%v %s %s", err, opts.HostPort, opts.Namespace)
	}
	_, err = loadClientOptions(Options{Env: variables{"TEMPORAL_CONFIG_FILE": "/does/not/exist", "TEMPORAL_PROFILE": "prod"}})
	if err == nil || !strings.Contains(err.Error(), "temporal connection settings: ") {
		t.Errorf("unknown profile: %v", err)
	}
}

// What a program's own configuration says goes before Temporal's standard variables.
func TestConnectionOverrides(t *testing.T) {
	file := filepath.Join(t.TempDir(), "temporal.toml")
	if err := os.WriteFile(file, []byte("[profile.prod]\naddress = \"profile.example:7233\"\nnamespace = \"profile\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := variables{"TEMPORAL_API_KEY": "s3cr3t"}
	opts, err := loadClientOptions(Options{ConfigFile: file, Profile: "prod", Namespace: "own", Env: env})
	if err != nil {
		t.Fatal(err)
	}
	if opts.HostPort != "profile.example:7233" || opts.Namespace != "own" || opts.Credentials == nil {
		t.Errorf("%s %s %v", opts.HostPort, opts.Namespace, opts.Credentials)
	}
	env["TEMPORAL_ADDRESS"] = "temporal.example:7233"
	opts, err = loadClientOptions(Options{Address: "own.example:7233", Env: env})
	if err != nil || opts.HostPort != "own.example:7233" {
		t.Errorf("%s %v", opts.HostPort, err)
	}
}

// A server that is not there is told fast, and no key stands in the error.
func TestConnectRefused(t *testing.T) {
	env := variables{"TEMPORAL_ADDRESS": "127.0.0.1:1", "TEMPORAL_API_KEY": "s3cr3t", "TEMPORAL_TLS": "false", "TEMPORAL_CONFIG_FILE": "/does/not/exist"}
	_, err := Connect(t.Context(), Options{Env: env})
	if err == nil || !strings.Contains(err.Error(), "temporal at 127.0.0.1:1: ") || strings.Contains(err.Error(), "s3cr3t") {
		t.Errorf("got %v", err)
	}
	var refused *ConnectError
	if !errors.As(err, &refused) || refused.Address != "127.0.0.1:1" {
		t.Errorf("got %#v", err)
	}
}

// variables are an environment.
type variables map[string]string

var _ envconfig.EnvLookup = variables{}

func (v variables) LookupEnv(name string) (string, bool) { value, ok := v[name]; return value, ok }

func (v variables) Environ() []string {
	var out []string
	for name, value := range v {
		out = append(out, name+"="+value)
	}
	return out
}
