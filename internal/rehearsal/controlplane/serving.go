package controlplane

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/poll"
)

const (
	// startPatience is how long an API server may take to serve: 4 s on an idle core, a
	// minute on one that others use.
	startPatience = 2 * time.Minute
	// lookPause is between two looks whether the API server serves.
	lookPause = 100 * time.Millisecond
)

// awaitServing waits until the API server is ready and has made its namespaces, and returns
// its version, which has to be the wanted one (wrongVersionError). ended says that one of the two
// programs will not serve any more.
func awaitServing(ctx context.Context, cfg *kube.RESTConfig, version string, ended func() error) (string, error) {
	client, err := kube.New(cfg, kube.Options{RetryFor: -1, Timeout: 5 * time.Second})
	if err != nil {
		return "", err
	}
	defer client.Close()
	for end := time.Now().Add(startPatience); ; {
		err := client.Ping(ctx)
		if err == nil {
			_, err = client.Identity(ctx)
		}
		if err == nil {
			return checkVersion(ctx, client, version)
		}
		if dead := ended(); dead != nil {
			return "", dead
		}
		if time.Now().After(end) {
			return "", fmt.Errorf("the API server does not serve after %s: %w", startPatience, err)
		}
		if err := poll.Wait(ctx, lookPause); err != nil {
			return "", err
		}
	}
}

// wrongVersionError is an API server of another version than the configuration says.
type wrongVersionError struct{ want, got string }

func (e *wrongVersionError) Error() string {
	return fmt.Sprintf("the API server of %s is of version %s", e.want, e.got)
}

// checkVersion refuses an API server that is not of the version that the configuration says.
func checkVersion(ctx context.Context, client *kube.Client, want string) (string, error) {
	cat, err := client.Discover(ctx)
	if err != nil {
		return "", err
	}
	got := cat.ServerVersion.GitVersion
	if want != "" && !strings.HasPrefix(got, "v"+want+".") {
		return "", &wrongVersionError{want, got}
	}
	return got, nil
}
