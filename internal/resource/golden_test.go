package resource

import (
	"cmp"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/golden"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// goldenCase is testdata/<kind>/<case>.in.json; what Restore made of it stands
// in <case>.out.json.
type goldenCase struct {
	Why      string         `json:"why"` // what the case proves
	Resource string         `json:"resource"`
	Context  goldenContext  `json:"context"`
	Object   map[string]any `json:"object"`
}

// goldenContext is a Context that can be written in JSON.
type goldenContext struct {
	Mapping           map[string]string    `json:"mapping"`
	PreserveNodePorts bool                 `json:"preserveNodePorts"`
	SkipVolumes       bool                 `json:"skipVolumes"`
	Status            []string             `json:"status"`        // resources whose status is asked for
	NoSubresource     []string             `json:"noSubresource"` // resources without /status
	KeepVolumes       []string             `json:"keepVolumes"`   // nil: the planner said nothing
	Has               []string             `json:"has"`           // resource/namespace/name
	Selects           []string             `json:"selects"`       // namespace/name
	Disks             map[string]Disk      `json:"disks"`         // by volume; which a method provisions
	LeftVolumes       []string             `json:"leftVolumes"`
	Claims            map[string]ClaimData `json:"claims"` // namespace/name
	Classes           map[string]string    `json:"classes"`
	Taken             []string             `json:"taken"` // namespace/name of snapshots
	Unused            []string             `json:"unused"` // namespace/name of claims of lost pods
	Images            []ImageMapping       `json:"images"`
}

func (g goldenContext) context() *Context {
	c := &Context{
		Backup: "nightly", Restore: "nightly-1", RestoreUID: "11111111-2222-3333-4444-555555555555",
		NamespaceMapping: g.Mapping, PreserveNodePorts: g.PreserveNodePorts, SkipVolumes: g.SkipVolumes,
		RestoreStatus:     func(resource string) bool { return slices.Contains(g.Status, resource) },
		StatusSubresource: func(resource, _ string) bool { return !slices.Contains(g.NoSubresource, resource) },
		Has: func(resource, namespace, name string) bool {
			return slices.Contains(g.Has, resource+"/"+namespace+"/"+name)
		},
		ServiceSelects: func(namespace, name string) bool { return slices.Contains(g.Selects, namespace+"/"+name) },
		Images:         g.Images,
	}
	g.volumes(c)
	return c
}

func (g goldenContext) volumes(c *Context) {
	if g.KeepVolumes != nil || g.Disks != nil || g.LeftVolumes != nil {
		c.VolumeDisposition = g.disposition
	}
	c.Disk = func(pv string) Disk { return g.Disks[pv] }
	c.Claim = func(namespace, name string) (ClaimData, bool) {
		data, ok := g.Claims[namespace+"/"+name]
		return data, ok
	}
	c.Class = func(class string) string { return cmp.Or(g.Classes[class], class) }
	c.Unused = func(namespace, name string) bool { return slices.Contains(g.Unused, namespace+"/"+name) }
	c.Taken = func(namespace, name string) bool { return slices.Contains(g.Taken, namespace+"/"+name) }
}

func (g goldenContext) disposition(pv string) volume.Disposition {
	_, made := g.Disks[pv]
	switch {
	case slices.Contains(g.KeepVolumes, pv):
		return volume.Keep
	case slices.Contains(g.LeftVolumes, pv):
		return volume.Leave
	case made:
		return volume.ProvisionBy("disk")
	}
	return volume.Dynamic
}

type goldenResult struct {
	Object  map[string]any `json:"object,omitempty"` // left out when the object is skipped
	Outcome Outcome        `json:"outcome"`
}

func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*.in.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(strings.TrimPrefix(file, "testdata/"), ".in.json"), func(t *testing.T) {
			checkCase(t, file)
		})
	}
}

func checkCase(t *testing.T, file string) {
	c := readCase(t, file)
	outcome, err := NewRegistry().Restore(c.Context.context(), c.Resource, c.Object)
	if err != nil {
		t.Fatal(err)
	}
	result := goldenResult{Outcome: outcome}
	if !outcome.Skipped() {
		result.Object = c.Object
	}
	golden.CompareJSON(t, strings.TrimSuffix(file, ".in.json")+".out.json", c.Why, result)
}

func readCase(t testing.TB, file string) (c goldenCase) {
	t.Helper()
	golden.ReadCase(t, file, &c)
	return c
}
