package show

import (
	"reflect"
	"slices"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

func TestPlanAction(t *testing.T) {
	for action, want := range map[string][2]string{
		"created": {"create", "+"},
		"updated": {"update", "~"},
		"skipped": {"skip", "="},
		"failed":  {"fail", "!"},
		"none":    {"none", ""},
		"create":  {"create", "+"},
		"later":   {"later", "?"},
	} {
		got := planAction(action)
		if got != want[0] || signOf(got) != want[1] {
			t.Errorf("%s: got %q with sign %q, want %q", action, got, signOf(got), want)
		}
	}
}

func TestChangeText(t *testing.T) {
	for _, tc := range []struct {
		change Change
		want   string
	}{
		{Change{Backup: 3, Live: 1, Result: 3}, "1 becomes 3"},
		{Change{Backup: 3, Live: 1, Result: 2}, "1 becomes 2; the backup has 3"},
		{Change{Live: "y"}, `"y" becomes (none)`},
		{Change{Backup: "<1>", Live: "<2>", Result: "<2>"}, `stays "<2>"; the backup has "<1>"`},
		{Change{Backup: 1, Live: 1, Result: 1}, "stays 1"},
		{Change{Backup: "uid"}, `left out; the backup has "uid"`},
		{Change{Result: "a\nb\x1b"}, `(none) becomes "a\nb\u001b"; the backup has (none)`},
	} {
		if got := tc.change.changeText(); got != tc.want {
			t.Errorf("%+v: got %q, want %q", tc.change, got, tc.want)
		}
	}
}

func TestIsBookkeeping(t *testing.T) {
	for path, want := range map[string]bool{
		`metadata.labels["velero.io/backup-name"]`:  true,
		`metadata.labels["velero.io/restore-name"]`: true,
		`metadata.labels["app"]`:                    false,
		"spec.replicas":                             false,
	} {
		if got := (Change{Path: path}).isBookkeeping(); got != want {
			t.Errorf("%s: got %v", path, got)
		}
	}
}

// A line that is one column too wide wraps, and then cannot be overwritten.
func TestClipLine(t *testing.T) {
	for _, tc := range []struct {
		line  string
		width int
		want  string
	}{
		{"abc", 3, "abc"},
		{"abcd", 3, "ab…"},
		{"äöü", 3, "äöü"},
		{"äöüß", 3, "äö…"},
		{"abcd", 1, "…"},
		{"abcd", 0, "abcd"},
	} {
		if got := clipLine(tc.line, tc.width); got != tc.want {
			t.Errorf("clipLine(%q, %d) = %q, want %q", tc.line, tc.width, got, tc.want)
		}
	}
}

func TestVolumeKeyAndLine(t *testing.T) {
	for _, tc := range []struct {
		volume    contract.VolumeSummary
		key, line string
	}{
		{contract.VolumeSummary{Namespace: "shop", Claim: "data", PV: "pv", Method: methodNative, Result: "succeeded", Snapshot: "snap"}, "pv", "succeeded, snap, claim shop/data"},
		{contract.VolumeSummary{Namespace: "shop", Claim: "data", PV: "pv", Method: methodCSI, Result: "failed"}, "shop/data", "failed"},
		{contract.VolumeSummary{Namespace: "shop", Claim: "data", Method: methodNative, Moved: true}, "shop/data", "claim shop/data, data moved"},
		{contract.VolumeSummary{Pod: "shop/web-0", PodVolume: "scratch", PV: "pv"}, "shop/web-0", "scratch"},
		{contract.VolumeSummary{PV: "pv", Skipped: true, SkippedReason: "no claim", Result: "failed"}, "pv", "no claim"},
		{contract.VolumeSummary{Content: "content"}, "content", ""},
	} {
		if key, line := volumeKey(tc.volume), volumeLine(tc.volume); key != tc.key || line != tc.line {
			t.Errorf("%+v: got %q: %q, want %q: %q", tc.volume, key, line, tc.key, tc.line)
		}
	}
}

func TestVolumeHeadings(t *testing.T) {
	for got, want := range map[string]string{
		completedCount(0, 0): "",
		completedCount(0, 2): "0 of 2 completed",
		completedCount(2, 2): "2 of 2 completed",
		filesTitle(nil):      "Pod Volume Backups",
		filesTitle([]contract.VolumeSummary{{Uploader: "kopia"}}): "Pod Volume Backups - kopia",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// Only fields that nobody set are dropped: what lies deeper, and an empty text, is the user's.
func TestPruneUnset(t *testing.T) {
	type object = map[string]any
	got := pruneUnset(object{
		"kind":     "List",
		"metadata": nil,
		"status":   object{"progress": object{}},
		"spec":     object{"ttl": "0s", "a": "", "deep": object{"ttl": "0s"}, "list": []any{}},
		"items":    []any{object{"spec": object{"ttl": "0s"}}, "text"},
	})
	want := object{
		"kind":     "List",
		"metadata": nil,
		"spec":     object{"a": "", "deep": object{"ttl": "0s"}, "list": []any{}},
		"items":    []any{object{}, "text"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := pruneUnset("text"); got != "text" {
		t.Errorf("got %v", got)
	}
}

func TestSummaryLine(t *testing.T) {
	for want, counts := range map[string]map[string]int64{
		"0 objects: 0 to create, 0 to update, 0 to skip, 0 already as in the backup, 0 would fail.":                            {},
		"1 object: 1 to create, 0 to update, 0 to skip, 0 already as in the backup, 0 would fail.":                             {"create": 1},
		"1,203 objects: 0 to create, 0 to update, 0 to skip, 1,200 already as in the backup, 1 would fail, 2 of another kind.": {"none": 1200, "fail": 1, "later": 2},
	} {
		if got := summaryLine(counts); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestLabelPairs(t *testing.T) {
	if got := LabelPairs(map[string]string{"b": "2", "a": "1", "c": ""}); !slices.Equal(got, []string{"a=1", "b=2", "c="}) {
		t.Errorf("got %q", got)
	}
	if got := LabelPairs(nil); len(got) != 0 {
		t.Errorf("got %q", got)
	}
}

func TestTristateText(t *testing.T) {
	yes, no := true, false
	for want, value := range map[string]*bool{"auto": nil, "true": &yes, "false": &no} {
		if got := tristateText(value, "auto"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
