package console

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// served are the clusters of a Temporal namespace, or why they cannot be listed.
type served struct {
	clusters []string
	err      error
}

func (s served) Address() string                            { return "temporal:7233" }
func (s served) Namespace() string                          { return "backups" }
func (s served) Clusters(context.Context) ([]string, error) { return s.clusters, s.err }

func TestFindCluster(t *testing.T) {
	var many []string
	for i := range 12 {
		many = append(many, fmt.Sprintf("c%02d", i))
	}
	for name, tc := range map[string]struct {
		served    served
		want, err string
	}{
		"one":     {served{clusters: []string{"prod"}}, "prod", ""},
		"none":    {served{}, "", `no cluster is served in Temporal namespace "backups" at temporal:7233: start a worker`},
		"two":     {served{clusters: []string{"dev", "prod"}}, "", "name one of dev, prod with --cluster or LIFEBOAT_CLUSTER"},
		"many":    {served{clusters: many}, "", "c08, c09, and 2 more with --cluster"},
		"trouble": {served{err: errors.New("refused")}, "", "look for clusters: refused; name one with --cluster or LIFEBOAT_CLUSTER"},
	} {
		got, err := findCluster(t.Context(), tc.served)
		if got != tc.want || (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
}

// Where nobody says which cluster, and the answer does not depend on it, any one is asked.
func TestFirstCluster(t *testing.T) {
	for _, found := range [][]string{nil, {"prod"}, {"dev", "prod"}} {
		want := ""
		if len(found) > 1 {
			want = "dev"
		}
		if got, err := firstCluster(t.Context(), served{clusters: found}); got != want || err != nil {
			t.Errorf("of %v: %q, %v", found, got, err)
		}
	}
}
