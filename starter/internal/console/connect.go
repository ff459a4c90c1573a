package console

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/command"
)

// connectTemporal connects by Temporal's standard variables and profile file and
// settles which cluster is meant.
func connectTemporal(ctx context.Context, cluster string) (*temporal.Client, error) {
	host, _ := os.Hostname() // only a label in the UI; an unknown host is no reason to fail
	conn, err := temporal.Connect(ctx, temporal.Options{Identity: "lifeboat-cli@" + host})
	var unreachable *temporal.ConnectError
	if errors.As(err, &unreachable) {
		return nil, fmt.Errorf("%w; set TEMPORAL_ADDRESS (and TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, TEMPORAL_TLS_* where the server asks for them)", err)
	}
	if err != nil {
		return nil, err
	}
	if named := os.Getenv(command.ClusterVariable); named != "" && (cluster == "" || cluster == AnyCluster) {
		cluster = named // its worker sees the bucket that is meant
	}
	if cluster == AnyCluster {
		cluster, err = firstCluster(ctx, conn)
	}
	if cluster == "" && err == nil {
		cluster, err = findCluster(ctx, conn)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn.ForCluster(cluster), nil
}

// AnyCluster stands for whichever cluster is served, where the answer does not depend on it. No
// cluster has such a name.
const AnyCluster = "*"

// firstCluster is one that is served; findCluster explains where there is none.
func firstCluster(ctx context.Context, conn clusterFinder) (string, error) {
	found, err := conn.Clusters(ctx)
	if err != nil || len(found) < 2 {
		return "", err
	}
	return found[0], nil
}

// clusterFinder is what findCluster asks of a connection.
type clusterFinder interface {
	Address() string
	Namespace() string
	Clusters(ctx context.Context) ([]string, error)
}

// findCluster is the cluster that is served, if there is only one.
func findCluster(ctx context.Context, conn clusterFinder) (string, error) {
	found, err := conn.Clusters(ctx)
	switch {
	case err != nil:
		return "", fmt.Errorf("look for clusters: %w; name one with --cluster or %s", err, command.ClusterVariable)
	case len(found) == 0:
		return "", fmt.Errorf("no cluster is served in Temporal namespace %q at %s: start a worker (lifeboat-worker --config lifeboat.yaml) or name the cluster with --cluster or %s",
			conn.Namespace(), conn.Address(), command.ClusterVariable)
	case len(found) > 1:
		return "", fmt.Errorf("several clusters are served here: name one of %s with --cluster or %s", firstClusters(found), command.ClusterVariable)
	}
	return found[0], nil
}

// firstClusters keeps the message short where there are many.
func firstClusters(names []string) string {
	const most = 10
	text := strings.Join(names[:min(most, len(names))], ", ")
	if rest := len(names) - most; rest > 0 {
		text += fmt.Sprintf(", and %d more", rest)
	}
	return text
}
