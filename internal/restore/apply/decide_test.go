package apply

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
)

// TestDecide: what is done about an object, by what the cluster has in its place.
func TestDecide(t *testing.T) {
	const (
		wanted   = `{"metadata":{"name":"o","namespace":"n","labels":{"velero.io/backup-name":"b","velero.io/restore-name":"r"}},"data":{"k":"v"}}`
		fresh    = `"creationTimestamp":"2026-05-01T12:00:00Z"`
		aged     = `"creationTimestamp":"2026-05-01T11:59:59Z"`
		labelled = `"labels":{"velero.io/backup-name":"b","velero.io/restore-name":"r"}`
		ofOther  = `"labels":{"velero.io/backup-name":"b","velero.io/restore-name":"other"}`
		deleted  = `"deletionTimestamp":"2026-05-01T12:00:00Z"`
		same     = `"data":{"k":"v"}`
		other    = `"data":{"k":"other"}`

		labelsPatch = `{"metadata":{"labels":{"velero.io/backup-name":"b","velero.io/restore-name":"r"}}}`
	)
	live := func(meta, rest string) string {
		return `{"metadata":{"name":"o","namespace":"n","uid":"u","resourceVersion":"7",` + meta + `},` + rest + `}`
	}
	for name, tt := range map[string]struct {
		gr              string // configmaps, if empty
		want, live      string // want is "wanted", if empty
		updates, dryRun bool
		initHooks       int
		action          action
		patch, labels   string // as JSON
		code            report.Code
		// undigested says that the record does not identify the live object.
		undigested bool
	}{
		"nothing there":                        {undigested: true, action: actionCreate},
		"nothing there, update":                {undigested: true, updates: true, action: actionCreate},
		"equal":                                {live: live(aged, same), action: actionKeepEqual},
		"different":                            {live: live(aged, other), action: actionKeepDifferent, code: report.ExistsDiffers},
		"equal, update":                        {live: live(aged, same), updates: true, action: actionKeepEqual, labels: labelsPatch},
		"equal and labelled, update":           {live: live(aged+","+labelled, same), updates: true, action: actionKeepEqual},
		"different, update":                    {live: live(aged, other), updates: true, action: actionPatch, patch: `{"data":{"k":"v"},"metadata":{"labels":{"velero.io/backup-name":"b","velero.io/restore-name":"r"}}}`, labels: labelsPatch},
		"different, labelled, update":          {live: live(aged+","+labelled, other), updates: true, action: actionPatch, patch: `{"data":{"k":"v"}}`},
		"of an earlier attempt":                {live: live(fresh+","+labelled, other), action: actionComplete, undigested: true},
		"of an earlier attempt, being deleted": {live: live(fresh+","+labelled+","+deleted, other), action: actionComplete, undigested: true},
		"of an earlier attempt, update":        {live: live(fresh+","+labelled, other), updates: true, action: actionComplete, undigested: true},
		"older than the restore":               {live: live(aged+","+labelled, same), action: actionKeepEqual},
		"of another restore":                   {live: live(fresh+","+ofOther, same), action: actionKeepEqual},
		"of no known age":                      {live: live(labelled, same), action: actionKeepEqual},
		"in a dry run":                         {live: live(fresh+","+labelled, same), dryRun: true, action: actionKeepEqual},
		"being deleted":                        {live: live(aged+","+deleted, same), action: actionAwaitObject},
		"being deleted, update":                {live: live(aged+","+deleted, other), updates: true, action: actionAwaitObject},
		"namespace being deleted":              {gr: "namespaces", live: live(aged+","+deleted, same), action: actionAwaitNamespace},
		"lease, update":                        {gr: "leases.coordination.k8s.io", live: live(aged, other), updates: true, action: actionKeepEqual},
		"service account that lacks nothing":   {gr: "serviceaccounts", want: `{"secrets":[{"name":"a"}]}`, live: live(aged, `"secrets":[{"name":"a"},{"name":"b"}]`), action: actionKeepEqual},
		"service account that lacks a secret": {
			gr: "serviceaccounts", want: `{"secrets":[{"name":"a"}]}`, live: live(aged, `"secrets":[{"name":"b"}]`),
			action: actionPatch, patch: `{"secrets":[{"name":"b"},{"name":"a"}]}`,
		},
		"service account that differs": {
			gr: "serviceaccounts", want: `{"automountServiceAccountToken":false}`, live: live(aged, `"automountServiceAccountToken":true`),
			action: actionKeepDifferent, code: report.ExistsDiffers,
		},
		"service account that differs, update": {
			gr: "serviceaccounts", want: `{"automountServiceAccountToken":false}`, live: live(aged, `"automountServiceAccountToken":true`), updates: true,
			action: actionPatch, patch: `{"automountServiceAccountToken":false}`,
		},
		"service account that differs and lacks a secret": {
			gr: "serviceaccounts", want: `{"automountServiceAccountToken":false,"secrets":[{"name":"a"}]}`, live: live(aged, `"automountServiceAccountToken":true`),
			action: actionPatch, patch: `{"secrets":[{"name":"a"}]}`, code: report.ExistsDiffers,
		},
		"pod without the init containers of hooks": {
			gr: "pods", want: `{"spec":{"initContainers":[{"name":"hook"},{"name":"own"}]}}`, initHooks: 1,
			live: live(aged, `"spec":{"initContainers":[{"name":"own"}]}`), action: actionKeepEqual,
		},
		"pod with the init containers of hooks": {
			gr: "pods", want: `{"spec":{"initContainers":[{"name":"hook"},{"name":"own"}]}}`, initHooks: 1,
			live: live(aged, `"spec":{"initContainers":[{"name":"hook"},{"name":"own"}]}`), action: actionKeepEqual,
		},
		"pod without spec": {gr: "pods", want: `{"data":{"k":"v"}}`, initHooks: 1, live: live(aged, same), action: actionKeepEqual},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.gr == "" {
				tt.gr = "configmaps"
			}
			if tt.want == "" {
				tt.want = wanted
			}
			want := &desired{entry: archive.Entry{Key: archive.Key{Resource: tt.gr}}, object: decodeMap(t, tt.want)}
			want.rules.InitHooks = tt.initHooks
			var there map[string]any
			if tt.live != "" {
				there = decodeMap(t, tt.live)
			}
			p := policy{registry: resource.NewRegistry(), updates: tt.updates, dryRun: tt.dryRun, restoreLabel: "r", started: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
			d := p.decide(want, there)
			if d.action != tt.action || d.code != tt.code || textOfPatch(t, d.patch) != tt.patch || textOfPatch(t, d.labels) != tt.labels {
				t.Errorf("%+v", d)
			}
			if waits := tt.action == actionAwaitObject || tt.action == actionAwaitNamespace; waits != (d.blocker != nil) {
				t.Errorf("blocker %+v", d.blocker)
			}
			if (d.digest == "") != tt.undigested {
				t.Errorf("digest %q", d.digest)
			}
			if !sameText(t, want.object, tt.want) || tt.live != "" && !sameText(t, there, tt.live) {
				t.Errorf("changed what it was to look at: %v, %v", want.object, there)
			}
		})
	}
}

// TestDigests: a digest changes with the object and with its state.
func TestDigests(t *testing.T) {
	seen := map[string]string{}
	for _, meta := range []string{`{"uid":"u","resourceVersion":"1"}`, `{"uid":"u","resourceVersion":"2"}`, `{"uid":"v","resourceVersion":"1"}`} {
		d := digestOf(decodeMap(t, `{"metadata":`+meta+`}`))
		if len(d) != 16 || seen[d] != "" || d != digestOf(decodeMap(t, `{"metadata":`+meta+`,"data":{}}`)) {
			t.Errorf("%s: %q, seen %v", meta, d, seen)
		}
		seen[d] = meta
	}
}

func decodeMap(t *testing.T, text string) (obj map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &obj); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return obj
}

// textOfPatch is a patch as JSON; none is empty.
func textOfPatch(t *testing.T, patch map[string]any) string {
	t.Helper()
	if patch == nil {
		return ""
	}
	raw, err := json.Marshal(patch)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func sameText(t *testing.T, obj map[string]any, text string) bool {
	t.Helper()
	return textOfPatch(t, obj) == textOfPatch(t, decodeMap(t, text))
}
