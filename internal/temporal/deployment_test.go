package temporal

import (
	"slices"
	"testing"
	"time"

	deploymentpb "go.temporal.io/api/deployment/v1"
	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Workers that have not polled for long do no work; those without versions are one version, the
// zero one, whatever build they name.
func TestVersionsOf(t *testing.T) {
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	poll := func(mode enumspb.WorkerVersioningMode, build string, ago time.Duration) *taskqueuepb.PollerInfo {
		return &taskqueuepb.PollerInfo{
			LastAccessTime:    timestamppb.New(now.Add(-ago)),
			DeploymentOptions: &deploymentpb.WorkerDeploymentOptions{DeploymentName: "lifeboat-a", BuildId: build, WorkerVersioningMode: mode},
		}
	}
	const versioned, unversioned = enumspb.WORKER_VERSIONING_MODE_VERSIONED, enumspb.WORKER_VERSIONING_MODE_UNVERSIONED
	got := versionsOf(&workflowservice.DescribeTaskQueueResponse{
		Pollers: []*taskqueuepb.PollerInfo{
			poll(versioned, "v2", time.Second), poll(versioned, "v1", 2*time.Minute), poll(unversioned, "v0", 0),
			{LastAccessTime: timestamppb.New(now)},
		},
		VersioningInfo: &taskqueuepb.TaskQueueVersioningInfo{
			CurrentDeploymentVersion: &deploymentpb.WorkerDeploymentVersion{DeploymentName: "lifeboat-a", BuildId: "v1"},
		},
	}, now)
	if want := (Version{"lifeboat-a", "v1"}); got.current != want {
		t.Errorf("current is %v, want %v", got.current, want)
	}
	if want := []Version{{"lifeboat-a", "v2"}, {}, {}}; !slices.Equal(got.polling, want) {
		t.Errorf("polling are %v, want %v", got.polling, want)
	}
	if v := versionsOf(&workflowservice.DescribeTaskQueueResponse{}, now); v.current != (Version{}) || len(v.polling) > 0 {
		t.Errorf("a queue of nobody: %v", v)
	}
}

// A deployment is one cluster's, so that an update of one cluster leaves another's workers alone.
func TestVersionOfCluster(t *testing.T) {
	conn := &Connection{}
	a, b := conn.ForCluster("a").Version("v1"), conn.ForCluster("b").Version("v1")
	if a == b || a.Build != "v1" || !a.Options().UseVersioning || a.Options().Version.DeploymentName != a.Deployment {
		t.Errorf("%v and %v", a, b)
	}
	if (Version{}).Options().UseVersioning {
		t.Error("workers without a version have one")
	}
}
