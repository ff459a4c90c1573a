package backup

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/drivers"
	"github.com/lifeboat-backup/lifeboat/internal/volume/volumetest"
)

func allTechnologies() volume.Technologies { return drivers.All(drivers.Dependencies{}) }

func withHooks(names ...string) map[string]PodHooks {
	out := map[string]PodHooks{}
	for _, n := range names {
		out["shop/"+n] = PodHooks{Namespace: "shop", Name: n}
	}
	return out
}

func pods(names ...string) (out []volume.PodRef) {
	for _, n := range names {
		out = append(out, volume.PodRef{Namespace: "shop", Name: n, Claims: []string{"of-" + n}})
	}
	return out
}

// short writes units as "groups/pods".
func short(units []Unit) string {
	var out []string
	for _, u := range units {
		var names []string
		for _, p := range u.Pods {
			names = append(names, p.Name+fmt.Sprint(p.Claims))
		}
		out = append(out, fmt.Sprint(u.Groups, "/", strings.Join(names, ",")))
	}
	return strings.Join(out, " ")
}

func TestUnitsOf(t *testing.T) {
	for name, tc := range map[string]struct {
		plan   volume.Plan
		hooked map[string]PodHooks
		want   string
	}{
		"nothing":                        {volumetest.Plan(""), nil, ""},
		"loose ones by method":           {volumetest.Plan("ncn"), nil, "[[1]]/ [[0] [2]]/"},
		"a loose unit of both methods":   {volumetest.Plan("nc", volume.Unit{Volumes: []int{0, 1}, Pods: pods("a")}), nil, "[[1]]/ [[0]]/"},
		"one moment":                     {volumetest.Plan("nnn", volume.Unit{Volumes: []int{0, 2}, Pods: pods("a")}, volume.Unit{Volumes: []int{1}}), nil, "[[0 2] [1]]/"},
		"a pod with hooks":               {volumetest.Plan("ncn", volume.Unit{Volumes: []int{0, 1}, Pods: pods("a", "b")}, volume.Unit{Volumes: []int{2}}), withHooks("b"), "[[0 1]]/b[of-b] [[2]]/"},
		"a pod with hooks and no volume": {volumetest.Plan("n"), withHooks("z", "y"), "[[0]]/ []/y[],z[]"},
		"both": {
			volumetest.Plan("n", volume.Unit{Volumes: []int{0}, Pods: pods("a")}),
			withHooks("a", "z"), "[[0]]/a[of-a] []/z[]",
		},
	} {
		t.Run(name, func(t *testing.T) {
			hooked := len(tc.hooked)
			if got := short(cutUnits(allTechnologies(), tc.plan, tc.hooked)); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
			if len(tc.hooked) != hooked {
				t.Error("its input was changed")
			}
		})
	}
}

// TestUnitSizes: batches are bounded, every volume is in one and only one, and a group
// is never cut.
func TestUnitSizes(t *testing.T) {
	const n = 2*maxVolumesInUnit + 7
	plan := volumetest.Plan(strings.Repeat("n", n), volume.Unit{Volumes: []int{0, 1, 2}})
	for i := 3; i < n; i++ {
		plan.Units = append(plan.Units, volume.Unit{Volumes: []int{i}})
	}
	var names []string
	for i := range maxPodsInUnit + 1 {
		names = append(names, fmt.Sprintf("p%03d", i))
	}
	units := cutUnits(allTechnologies(), plan, withHooks(names...))
	if len(units) != 5 {
		t.Fatalf("%d units", len(units))
	}
	seen := map[int]int{}
	for _, u := range units {
		all := u.Volumes()
		if len(all) > maxVolumesInUnit || len(u.Pods) > maxPodsInUnit {
			t.Errorf("%d volumes and %d pods", len(all), len(u.Pods))
		}
		for _, i := range all {
			seen[i]++
		}
	}
	for i := range n {
		if seen[i] != 1 {
			t.Errorf("volume %d is in %d units", i, seen[i])
		}
	}
	if !reflect.DeepEqual(units[0].Groups[0], []int{0, 1, 2}) {
		t.Errorf("the group is %v", units[0].Groups[0])
	}
}
