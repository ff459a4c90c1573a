package readiness

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
)

// reader is a pod that reads, in a phase, whose container has ended with a message.
func readerIn(phase corev1.PodPhase, reason, message string, age time.Duration) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{UID: "reader", CreationTimestamp: metav1.NewTime(time.Now().Add(-age))}, Status: corev1.PodStatus{Phase: phase}}
	if reason != "" {
		code := int32(0)
		if phase == corev1.PodFailed {
			code = 1
		}
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "read", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: reason, Message: message, ExitCode: code}}}}
	}
	return p
}

// beside puts a container into a pod that somebody injects, before and behind the one that reads.
func beside(p *corev1.Pod, state corev1.ContainerState) *corev1.Pod {
	p.Status.ContainerStatuses = append([]corev1.ContainerStatus{{Name: "agent", State: state}}, append(p.Status.ContainerStatuses, corev1.ContainerStatus{Name: "sidecar", State: state})...)
	return p
}

func inPhase(phase corev1.PodPhase, p *corev1.Pod) *corev1.Pod {
	p.Status.Phase = phase
	return p
}

// TestReaderStates: what the pod that reads a volume has come to decides about its file system,
// together with what its workload has.
func TestReaderStates(t *testing.T) {
	started, idle := claimState{started: true}, claimState{}
	runs := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	killed := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "Error", ExitCode: 137}}
	for name, tc := range map[string]struct {
		pod       *corev1.Pod
		progress  progress
		claim     claimState
		isMounted bool
		fault     string
	}{
		"read":                               {readerIn("Succeeded", "Completed", `{"files":3,"bytes":10}`, 0), through, idle, false, ""},
		"read, and its workload waits":       {readerIn("Succeeded", "Completed", `{"files":3,"bytes":10}`, 0), through, idle, true, ""},
		"an error, though its workload runs": {readerIn("Succeeded", "Completed", `{"files":3,"failed":1,"errors":["base/1: structure needs cleaning"]}`, 0), broken, started, true, "1 of its files cannot be read, such as base/1: structure needs cleaning"},
		"no right":                           {readerIn("Succeeded", "Completed", `{"files":3,"denied":2}`, 0), notRead, idle, false, "2 of its files may not be read"},
		"no right, and its workload runs":    {readerIn("Succeeded", "Completed", `{"files":3,"denied":2}`, 0), notRead, started, true, ""},
		"says nothing":                       {readerIn("Succeeded", "Completed", "", 0), notRead, idle, false, "has not told"},
		"killed":                             {readerIn("Failed", "OOMKilled", "", 0), notRead, idle, false, "OOMKilled"},
		"evicted":                            {readerIn("Failed", "", "", 0), notRead, started, true, ""},
		"reads":                              {readerIn("Running", "", "", time.Hour), going, idle, false, ""},
		"waits":                              {readerIn("Pending", "", "", 0), starting, idle, false, "has not started: FailedMount: wrong fs type"},
		"waits too long":                     {readerIn("Pending", "", "", time.Hour), notRead, idle, false, "has not started: FailedMount: wrong fs type"},
		"waits, and its workload waits":      {readerIn("Pending", "", "", time.Hour), notRead, idle, true, "has not started"},
		"read, a sidecar runs on":            {beside(readerIn("Running", "Completed", `{"files":3,"bytes":10}`, 0), runs), through, idle, false, ""},
		"an error, a sidecar runs on":        {beside(readerIn("Running", "Completed", `{"files":3,"failed":1,"errors":["base/1: bad"]}`, 0), runs), broken, started, true, "1 of its files cannot be read, such as base/1: bad"},
		"read, a sidecar was killed":         {inPhase(corev1.PodFailed, beside(readerIn("Running", "Completed", `{"files":3}`, 0), killed)), through, idle, false, ""},
		"reads, a sidecar has ended":         {beside(readerIn("Running", "", "", 0), killed), going, idle, false, ""},
		"of a foreign volume":                {readerIn("Succeeded", "Completed", `{"files":3}`, 0), through, claimState{why: "was bound to volume x"}, true, "was bound to volume x"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &reading{Reader: Reader{Start: time.Minute}}
			got := r.stateOf(tc.pod, "FailedMount: wrong fs type")
			if got.progress != tc.progress {
				t.Errorf("progress %d, want %d", got.progress, tc.progress)
			}
			if fault := got.fault(tc.claim, tc.isMounted); (fault == "") != (tc.fault == "") || !strings.Contains(fault, tc.fault) {
				t.Errorf("fault %q, want %q", fault, tc.fault)
			}
		})
	}
}

// TestWarningOfAVolume: a mount that several pods wait for is told to one of them.
func TestWarningOfAVolume(t *testing.T) {
	told := warnings{
		"db":  {text: `FailedMount: MountVolume.MountDevice failed for volume "pvc-1" : wrong fs type`},
		"web": {text: "Failed: image cannot be pulled"},
	}
	by := []*corev1.Pod{{ObjectMeta: metav1.ObjectMeta{UID: "web"}}, {ObjectMeta: metav1.ObjectMeta{UID: "db"}}}
	for volume, want := range map[string]string{"pvc-1": told["db"].text, "pvc-11": "", "pvc": "", "": ""} {
		if got := told.ofVolume(volume, by); got != want {
			t.Errorf("%s: %q, want %q", volume, got, want)
		}
	}
}

// TestLeavers: in a namespace in which no volume is read a pod of its own tries to leave, once.
func TestLeavers(t *testing.T) {
	outside := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(outside.Close)
	api := kubetest.Start(t, kubetest.WithTypes(kubetest.Type{Resource: kube.Events()}))
	api.PutNamespaces("copy")
	reader := Reader{
		Client: api.Client(), Drill: "d", Cluster: "prod", Outside: strings.TrimPrefix(outside.URL, "http://"), Start: time.Minute,
		Outage: func(context.Context, error) error { return nil },
	}
	read := func(want contract.DrillReading) {
		t.Helper()
		got, err := reader.Read(t.Context(), []string{"copy"}, nil)
		if err != nil || got.Tried != want.Tried || got.Reached != want.Reached || got.Going != want.Going || got.Data != 0 {
			t.Errorf("%+v, %v", got, err)
		}
	}
	read(contract.DrillReading{}) // there is no image
	reader.Image = "lifeboat"
	for range 2 {
		read(contract.DrillReading{Going: 1})
	}
	pods := kubetest.All[corev1.Pod](api, kube.Pods())
	if len(pods) != 1 || !slices.Contains(pods[0].Spec.Containers[0].Command, reader.Outside) || pods[0].Spec.Volumes[0].EmptyDir == nil || pods[0].Labels[contract.DrillLabel] != "d" {
		t.Fatalf("%+v", pods)
	}
	kubetest.Modify(api, kube.Pods(), "copy", pods[0].Name, func(p *corev1.Pod) {
		p.Status = readerIn(corev1.PodSucceeded, "Completed", `{"tried":1,"reached":1}`, 0).Status
	})
	read(contract.DrillReading{Tried: 1, Reached: 1})
}

// TestForeign: a volume that names no claim until Kubernetes binds one is somebody's, however young.
func TestForeign(t *testing.T) {
	now := time.Now()
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.Time{Time: now}}}
	free := map[string]string{boundByController: "yes"}
	for name, tc := range map[string]struct {
		meta    metav1.ObjectMeta
		foreign bool
	}{
		"provisioned":       {metav1.ObjectMeta{CreationTimestamp: metav1.Time{Time: now.Add(time.Second)}}, false},
		"young and free":    {metav1.ObjectMeta{CreationTimestamp: metav1.Time{Time: now.Add(time.Second)}, Annotations: free}, true},
		"old":               {metav1.ObjectMeta{CreationTimestamp: metav1.Time{Time: now.Add(-time.Hour)}}, true},
		"of the drill, old": {metav1.ObjectMeta{CreationTimestamp: metav1.Time{Time: now.Add(-time.Hour)}, Labels: map[string]string{contract.DrillLabel: "d"}}, false},
	} {
		if got := IsForeign(&corev1.PersistentVolume{ObjectMeta: tc.meta}, claim); got != tc.foreign {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// TestReaderPods: a pod that reads is on the node of the one that mounts the volume, as its user,
// and has no rights that it does not need.
func TestReaderPods(t *testing.T) {
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "copy", Name: "data"}}
	id := func(n int64) *int64 { return &n }
	yes := true
	mounter := func(pod *corev1.PodSecurityContext, container *corev1.SecurityContext) []*corev1.Pod {
		return []*corev1.Pod{{Spec: corev1.PodSpec{
			NodeName: "node1", SecurityContext: pod,
			Volumes:    []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"}}}},
			Containers: []corev1.Container{{Name: "beside"}, {VolumeMounts: []corev1.VolumeMount{{Name: "v"}}, SecurityContext: container}},
		}}}
	}
	for name, tc := range map[string]struct {
		by           []*corev1.Pod
		isRestricted bool
		user         int64
		group        *int64
		isRoot       bool
		node         string
	}{
		"nobody mounts it":            {nil, false, 0, nil, true, ""},
		"nobody, and root is refused": {nil, true, nobody, id(nobody), false, ""},
		"user of the pod":             {mounter(&corev1.PodSecurityContext{RunAsUser: id(70), FSGroup: id(71)}, nil), false, 70, id(71), false, "node1"},
		"user of the container":       {mounter(&corev1.PodSecurityContext{RunAsUser: id(70)}, &corev1.SecurityContext{RunAsUser: id(72), Privileged: &yes}), false, 72, nil, false, "node1"},
		"root":                        {mounter(nil, &corev1.SecurityContext{RunAsUser: id(0)}), false, 0, nil, true, "node1"},
		"user of the image":           {mounter(nil, nil), false, 0, nil, true, "node1"},
		"any but root":                {mounter(&corev1.PodSecurityContext{RunAsNonRoot: &yes}, nil), false, nobody, nil, false, "node1"},
	} {
		t.Run(name, func(t *testing.T) {
			spec := readerPod(claim, tc.by, tc.isRestricted).Spec
			pod, container := spec.SecurityContext, spec.Containers[0].SecurityContext
			user := pod.RunAsUser
			if container.RunAsUser != nil {
				user = container.RunAsUser
			}
			if user == nil || *user != tc.user || (pod.FSGroup == nil) != (tc.group == nil) || tc.group != nil && *pod.FSGroup != *tc.group {
				t.Errorf("user %v, pod %+v", user, pod)
			}
			if added := container.Capabilities.Add; slices.Contains(added, "DAC_OVERRIDE") != tc.isRoot || len(added) > 1 || container.Privileged != nil || *container.AllowPrivilegeEscalation {
				t.Errorf("container %+v", container)
			}
			if !spec.Containers[0].VolumeMounts[0].ReadOnly || *spec.AutomountServiceAccountToken {
				t.Errorf("%+v", spec)
			}
			if (spec.Affinity == nil) != (tc.node == "") || tc.node != "" && !strings.Contains(spec.Affinity.String(), tc.node) {
				t.Errorf("affinity %s", spec.Affinity)
			}
		})
	}
}
