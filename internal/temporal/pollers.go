package temporal

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// Poller is a worker that polls a cluster's task queue. It says itself what it serves: in
// its identity, which Temporal shows to whoever asks who polls a queue.
type Poller struct {
	Name string `json:"name"` // process and host
	// ClusterUID is the UID of the namespace kube-system of the worker's cluster; "" of a
	// worker that does not say it, which is one of an older version.
	ClusterUID string `json:"clusterUID,omitempty"`
	// Configuration is a digest of the names and places of the worker's storage locations.
	Configuration string    `json:"configuration,omitempty"`
	Started       time.Time `json:"started,omitzero"`
}

// Marks of the parts of an identity, behind the worker's name.
const (
	markCluster       = "/cluster="
	markConfiguration = "/locations="
	markStarted       = "/since="
)

// Identity is the identity by which the worker polls.
func (p Poller) Identity() string {
	return p.Name + markCluster + p.ClusterUID + markConfiguration + p.Configuration + markStarted + p.Started.UTC().Format(time.RFC3339)
}

func parsePoller(identity string) Poller {
	name, rest, _ := strings.Cut(identity, markCluster)
	uid, rest, _ := strings.Cut(rest, markConfiguration)
	configuration, since, _ := strings.Cut(rest, markStarted)
	started, err := time.Parse(time.RFC3339, since)
	if err != nil {
		return Poller{Name: identity} // of another form: an older worker, or not ours
	}
	return Poller{Name: name, ClusterUID: uid, Configuration: configuration, Started: started}
}

// Pollers are the workers that have polled the cluster's queue within pollAge, the one that
// was started last first.
func (c *Client) Pollers(ctx context.Context) ([]Poller, error) {
	queue := contract.TaskQueue(c.cluster)
	ctx, cancel := context.WithTimeout(ctx, discoverTimeout)
	defer cancel()
	res, err := c.sdk.DescribeTaskQueue(ctx, queue, enumspb.TASK_QUEUE_TYPE_WORKFLOW)
	if err != nil {
		return nil, fmt.Errorf("describe task queue %s: %w", queue, explainError(err))
	}
	return livePollers(res.GetPollers(), time.Now()), nil
}

func livePollers(all []*taskqueuepb.PollerInfo, now time.Time) []Poller {
	var live []Poller
	for _, info := range all {
		p := parsePoller(info.GetIdentity())
		if now.Sub(info.GetLastAccessTime().AsTime()) < pollAge && !slices.Contains(live, p) {
			live = append(live, p)
		}
	}
	slices.SortFunc(live, func(a, b Poller) int {
		if order := b.Started.Compare(a.Started); order != 0 {
			return order
		}
		return strings.Compare(a.Name, b.Name)
	})
	return live
}

// Differ tells that workers do not have the same cluster and storage locations.
func Differ(all []Poller) bool {
	return slices.ContainsFunc(all, func(p Poller) bool {
		return p.Configuration != all[0].Configuration || p.ClusterUID != all[0].ClusterUID
	})
}

// RequireOneCluster fails while a worker of another cluster than the one of a UID polls the
// queue: each would take the other's work.
func (c *Client) RequireOneCluster(ctx context.Context, uid string) error {
	all, err := c.Pollers(ctx)
	if err != nil {
		return err
	}
	return c.RefuseOtherCluster(all, uid)
}

// RefuseOtherCluster is the error that names a worker of another cluster than the one of a
// UID, nil where there is none.
func (c *Client) RefuseOtherCluster(all []Poller, uid string) error {
	i := slices.IndexFunc(all, func(p Poller) bool { return p.ClusterUID != "" && p.ClusterUID != uid })
	if i < 0 {
		return nil
	}
	return fmt.Errorf("cluster: the worker %s, started %s, serves the cluster with the uid %s under the name %q in Temporal namespace %q at %s; the cluster of this worker has the uid %s (of its namespace kube-system). Give this cluster a name of its own; or, if it was rebuilt, stop that worker and start this one again %s later",
		all[i].Name, all[i].Started.UTC().Format(time.RFC3339), all[i].ClusterUID, c.cluster, c.namespace, c.address, uid, pollAge)
}
