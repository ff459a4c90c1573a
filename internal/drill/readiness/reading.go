package readiness

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/isolation"
	"github.com/lifeboat-backup/lifeboat/internal/drill/readthrough"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
)

// Reader has volumes read through.
type Reader struct {
	Client *kube.Client
	// Drill is the drill's id, which the pods are labelled with; Image is what they run, and may
	// be empty.
	Drill, Image string
	// Cluster is the name of the cluster in the worker's configuration.
	Cluster string
	// Outside is the address, as host:port, that the pods try to reach and must not; "" tries none.
	Outside string
	// Start is how long a pod may take until it reads.
	Start time.Duration
	// Outage is the error of a cluster that is out of reach, nil for an error that is the cluster's
	// answer.
	Outage func(context.Context, error) error
}

// Read has every claim that is among data, as namespace/name, read through by a pod of its own,
// unless it was, and says how far that is. It may repeat, and is asked until nothing is being read.
func (r Reader) Read(ctx context.Context, namespaces []string, data map[string]bool) (contract.DrillReading, error) {
	reading := &reading{Reader: r, data: data, answers: sync.OnceValue(func() bool { return r.Outside != "" && readthrough.Connects(ctx, r.Outside) })}
	for _, namespace := range namespaces {
		if err := reading.addNamespace(ctx, namespace); err != nil {
			return contract.DrillReading{}, fmt.Errorf("read the volumes of namespace %s: %w", namespace, err)
		}
	}
	reading.out.Volumes, reading.out.Unread = reading.volumes.check(), reading.unread.check().Detail
	return reading.out, nil
}

// reading adds up how far the volumes of a copy are read.
type reading struct {
	Reader
	data            map[string]bool
	answers         func() bool // whether the address outside answers the worker: else nothing is tried
	volumes, unread tally
	out             contract.DrillReading
}

func (r *reading) addNamespace(ctx context.Context, namespace string) error {
	pods, err := Pods(ctx, r.Client, namespace)
	if err != nil {
		return err
	}
	readers, err := kube.ListMap[corev1.Pod](ctx, r.Client, kube.Pods(), namespace, contract.DrillPartLabel+"="+partRead)
	if err != nil {
		return err
	}
	told, err := readWarnings(ctx, r.Client, namespace)
	if err != nil {
		return err
	}
	mounted, isRead := mountedClaims(pods), false
	err = kube.List(ctx, r.Client, kube.Claims(), namespace, "", func(c corev1.PersistentVolumeClaim) error {
		key := c.Namespace + "/" + c.Name
		by := mounted[c.Name]
		if !r.data[key] && len(by) == 0 {
			return nil
		}
		fault, err := claimFault(ctx, r.Client, &c, by, told)
		if err != nil {
			return err
		}
		state := readerState{}
		if r.data[key] {
			if state, err = r.readClaim(ctx, &c, by, readers, told); err != nil {
				return err
			}
			isRead = isRead || state.progress != notRead
			r.addState(key, state)
		}
		r.volumes.add("claim "+key, state.fault(fault, len(by) > 0))
		return nil
	})
	if err != nil || isRead {
		return err
	}
	return r.tryToLeave(ctx, namespace, readers)
}

// tryToLeave has a pod of its own try to leave a namespace in which no pod reads a volume. One that
// cannot run says nothing of the network.
func (r *reading) tryToLeave(ctx context.Context, namespace string, readers map[string]corev1.Pod) error {
	pod, there := readers[namespace+"/"+leaverName]
	if there {
		state := r.stateOf(&pod, "")
		r.addReached(state)
		if state.progress == starting || state.progress == going {
			r.out.Going++
		}
		return nil
	}
	if r.Image == "" || !r.answers() {
		return nil
	}
	err := r.make(ctx, leaverPod(namespace), leaverName)
	if err == nil || kube.IsAlreadyExists(err) {
		r.out.Going++
		return nil
	}
	return r.Outage(ctx, err)
}

func (r *reading) addReached(s readerState) {
	r.out.Tried += s.result.Tried
	r.out.Reached += s.result.Reached
}

// addState counts a claim with data.
func (r *reading) addState(key string, s readerState) {
	r.out.Data++
	r.out.Files += s.result.Files
	r.out.Bytes += s.result.Bytes
	r.addReached(s)
	switch s.progress {
	case through:
		r.out.Through++
	case starting, going:
		r.out.Going++
		r.unread.add("claim "+key, "is still being read")
	default:
		r.unread.add("claim "+key, s.why)
	}
}

// progress is how far a volume is read.
type progress int

const (
	notRead  progress = iota // and it will not be; that says nothing about its file system
	starting                 // the pod that is to read it does not run yet
	going
	through
	broken // its file system cannot be read
)

// readerState is what the pod that reads a volume has come to.
type readerState struct {
	progress progress
	why      string
	result   readthrough.Result
}

// fault is why a claim is not good at L3, "" if it is: what a workload has started with, or
// something is reading without an error, can be read.
func (s readerState) fault(claim claimState, isMounted bool) string {
	switch {
	case claim.why != "":
		return cmp.Or(claim.why, s.why)
	case s.progress == broken:
		return s.why
	case s.progress == through || s.progress == going || claim.started:
		return ""
	case isMounted:
		return cmp.Or(s.why, "no pod that mounts it has started")
	}
	return cmp.Or(s.why, "the pod that is to read it has not started")
}

// readClaim makes the pod that reads a claim, unless it is there, and says what it has come to.
func (r *reading) readClaim(ctx context.Context, c *corev1.PersistentVolumeClaim, by []*corev1.Pod, readers map[string]corev1.Pod, told warnings) (readerState, error) {
	name := readerName(c.Name)
	if pod, there := readers[c.Namespace+"/"+name]; there {
		return r.stateOf(&pod, cmp.Or(told.of(pod.UID), told.ofVolume(c.Spec.VolumeName, by))), nil
	}
	switch mounter := mounterOf(by); {
	case r.Image == "":
		return readerState{why: "drills.image of the worker's configuration names no image that could read it"}, nil
	case c.Spec.VolumeMode != nil && *c.Spec.VolumeMode == corev1.PersistentVolumeBlock:
		return readerState{why: "it is a block device, and has no file system to read"}, nil
	case mounter != nil && slices.Contains(c.Spec.AccessModes, corev1.ReadWriteOncePod):
		return readerState{why: "its access mode ReadWriteOncePod lets no other pod mount it"}, nil
	}
	return r.makeReader(ctx, c, by, name)
}

// makeReader makes a pod that reads a claim. Where root is refused, a user without rights reads a
// claim that nobody uses: the volume is given to its group, and goes with the copy.
func (r *reading) makeReader(ctx context.Context, c *corev1.PersistentVolumeClaim, by []*corev1.Pod, name string) (readerState, error) {
	var err error
	for _, isRestricted := range []bool{false, true} {
		err = r.make(ctx, readerPod(c, by, isRestricted), name)
		if err == nil || kube.IsAlreadyExists(err) {
			return readerState{progress: starting}, nil
		}
		if len(by) > 0 || !kube.IsForbidden(err) {
			break
		}
	}
	if down := r.Outage(ctx, err); down != nil {
		return readerState{}, down
	}
	return readerState{why: "the pod that is to read it is refused: " + err.Error()}, nil
}

// make makes a pod of the drill's own, which tries to leave its namespace if there is somebody to reach.
func (r *reading) make(ctx context.Context, pod *corev1.Pod, name string) error {
	pod.Name, pod.Labels = name, contract.DrillLabels(r.Cluster, r.Drill)
	pod.Labels[contract.DrillPartLabel], pod.Spec.PriorityClassName = partRead, isolation.PriorityClassName(r.Cluster)
	pod.Spec.Containers[0].Image = r.Image
	if r.answers() {
		pod.Spec.Containers[0].Command = append(pod.Spec.Containers[0].Command, "--reach", r.Outside)
	}
	_, err := kube.Make(ctx, r.Client, kube.Pods(), pod.Namespace, pod, kube.CreateOptions{FieldManager: resource.FieldManager})
	return err
}

// stateOf says what a pod that reads has come to. The warning is the last that was told of it, or of
// its volume, and may be empty.
func (r *reading) stateOf(pod *corev1.Pod, warning string) readerState {
	ended := readerEnd(pod)
	switch {
	case ended != nil && ended.ExitCode == 0:
		return resultState(ended.Message)
	case ended != nil:
		return readerState{why: fmt.Sprintf("the pod that read it has failed: %s, exit code %d %s", ended.Reason, ended.ExitCode, ended.Message)}
	case pod.Status.Phase == corev1.PodFailed:
		return readerState{why: "the pod that read it has failed: " + pod.Status.Reason + " " + pod.Status.Message}
	case pod.Status.Phase == corev1.PodRunning:
		return readerState{progress: going}
	}
	why := "the pod that is to read it has not started"
	if cause := cmp.Or(warning, resource.WhyPodWaits(pod)); cause != "" {
		why += ": " + cause
	}
	if time.Since(pod.CreationTimestamp.Time) > r.Start {
		return readerState{why: why}
	}
	return readerState{progress: starting, why: why}
}

// readerEnd is how the container that reads has ended, nil if it has not: one that an injector has put
// beside it may run on, and keeps the pod running.
func readerEnd(pod *corev1.Pod) *corev1.ContainerStateTerminated {
	for _, c := range pod.Status.ContainerStatuses {
		if c.Name == readContainer {
			return c.State.Terminated
		}
	}
	return nil
}

// resultState is what the message of a pod says that has read a volume.
func resultState(message string) readerState {
	var res readthrough.Result
	if err := json.Unmarshal([]byte(message), &res); err != nil {
		return readerState{why: "the pod that read it has not told what it read"}
	}
	switch {
	case res.Failed > 0:
		first := ""
		if len(res.Errors) > 0 {
			first = res.Errors[0]
		}
		return readerState{progress: broken, result: res, why: fmt.Sprintf("%d of its files cannot be read, such as %s", res.Failed, first)}
	case res.Denied > 0:
		return readerState{result: res, why: fmt.Sprintf("%d of its files may not be read by the user of the pod that mounts it", res.Denied)}
	}
	return readerState{progress: through, result: res}
}
