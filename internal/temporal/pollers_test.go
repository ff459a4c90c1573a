package temporal

import (
	"slices"
	"strings"
	"testing"
	"time"

	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func TestPollerIdentity(t *testing.T) {
	p := Poller{Name: "12@pod-a", ClusterUID: "uid-a", Configuration: "0a1b", Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	if got := parsePoller(p.Identity()); got != p {
		t.Errorf("%+v, want %+v", got, p)
	}
	for _, foreign := range []string{"", "12@pod-a", "12@a/cluster=b", "x/cluster=y/locations=z/since=yesterday"} {
		if got := parsePoller(foreign); got != (Poller{Name: foreign}) {
			t.Errorf("%q: %+v", foreign, got)
		}
	}
}

// A worker that polls twice is one; one that has not polled for long has ended; the one
// that was started last comes first, and of an older version last.
func TestLivePollers(t *testing.T) {
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	older := Poller{Name: "1@a", ClusterUID: "u", Configuration: "old", Started: now.Add(-time.Hour)}
	newer := Poller{Name: "1@b", ClusterUID: "u", Configuration: "new", Started: now.Add(-time.Minute)}
	ended := Poller{Name: "1@c", ClusterUID: "other", Configuration: "new", Started: now.Add(-time.Second)}
	poll := func(identity string, ago time.Duration) *taskqueuepb.PollerInfo {
		return &taskqueuepb.PollerInfo{Identity: identity, LastAccessTime: timestamppb.New(now.Add(-ago))}
	}
	got := livePollers([]*taskqueuepb.PollerInfo{
		poll("7@old-version", time.Second), poll(older.Identity(), 0), poll(older.Identity(), time.Minute),
		poll(newer.Identity(), 0), poll(ended.Identity(), 2*time.Minute),
	}, now)
	if want := []Poller{newer, older, {Name: "7@old-version"}}; !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestPollersOfOtherClusters(t *testing.T) {
	mine := Poller{Name: "1@a", ClusterUID: "mine", Configuration: "x"}
	changed := Poller{Name: "1@b", ClusterUID: "mine", Configuration: "y"}
	other := Poller{Name: "1@c", ClusterUID: "other", Configuration: "x"}
	older := Poller{Name: "1@d"}
	for name, tc := range map[string]struct {
		all           []Poller
		other, differ bool
	}{
		"none":                  {nil, false, false},
		"alone":                 {[]Poller{mine}, false, false},
		"two":                   {[]Poller{mine, mine}, false, false},
		"another configuration": {[]Poller{mine, changed}, false, true},
		"another cluster":       {[]Poller{mine, other}, true, true},
		"an older version":      {[]Poller{older, mine}, false, true},
	} {
		err := (&Client{Connection: &Connection{}, cluster: "prod"}).RefuseOtherCluster(tc.all, "mine")
		if (err != nil) != tc.other || Differ(tc.all) != tc.differ {
			t.Errorf("%s: %v, differ %v", name, err, Differ(tc.all))
		}
		for _, words := range []string{"worker 1@c", "uid other", "uid mine", `name "prod"`, "a name of its own", "1m30s later"} {
			if err != nil && !strings.Contains(err.Error(), words) {
				t.Errorf("%s: no %q in %v", name, words, err)
			}
		}
	}
}
