package controlplane

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/connect"
	"github.com/lifeboat-backup/lifeboat/internal/poll"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
)

// Pods starts control planes as pods in the worker's namespace. Nothing reaches one over the
// cluster's network: both programs listen on the pod's loopback, its NetworkPolicy allows
// nothing, and the worker comes through port-forward.
type Pods struct {
	Kube      *kube.Client
	Namespace string
	// Worker is the name of the worker's own pod, which owns the control planes, so that they go
	// with it; "" is a worker outside the cluster.
	Worker string
	// APIServer and Etcd are images, by digest; their programs kube-apiserver and etcd are in PATH.
	APIServer, Etcd string
	// Others are images of further API servers, by their minor version ("1.38").
	Others map[string]string
	// PullSecrets are names of Secrets of the namespace, for the images.
	PullSecrets []string
	// MemoryLimit bounds each of the two programs, and the data in memory, in bytes.
	MemoryLimit int64

	running sync.Map // names of those that this process made
}

const (
	// podPatience is how long a pod may take to serve: a new node and two pulled images among it.
	podPatience = 10 * time.Minute
	// podLife is when a pod ends by itself whose worker has forgotten it, longer than any rehearsal.
	podLife = 6 * time.Hour
	// cleanUpFor bounds how long what is to be removed is tried, also after a cancel.
	cleanUpFor = 30 * time.Second
	// podLook is between two looks at a running pod.
	podLook = 2 * time.Second
)

// Versions implements Provider.
func (p *Pods) Versions() []string { return slices.Sorted(maps.Keys(p.Others)) }

// Start implements Provider.
func (p *Pods) Start(ctx context.Context, s Spec) (_ *Plane, err error) {
	image := p.APIServer
	if s.Version != "" {
		if image = p.Others[s.Version]; image == "" {
			return nil, failure.Invalid("kubernetesVersion: there is no API server of %q; known are %s; name its image in the worker's configuration, rehearsal.pod.versions",
				s.Version, cmp.Or(strings.Join(p.Versions(), ", "), "none"))
		}
	}
	owner, err := p.owner(ctx)
	if err != nil {
		return nil, err
	}
	if err := p.removeLeftovers(ctx, owner); err != nil {
		return nil, err
	}
	made, err := newCredentials(time.Now())
	if err != nil {
		return nil, fmt.Errorf("make certificates: %w", err)
	}
	r := &runningPod{pods: p, name: podPrefix + strings.ToLower(rand.Text()[:8]), died: make(chan error, 1)}
	p.running.Store(r.name, true)
	defer func() {
		if err != nil {
			_, stopErr := r.stop()
			err = errors.Join(err, stopErr)
		}
	}()
	if err := r.create(ctx, owner, image, s, made); err != nil {
		return nil, err
	}
	return r.connect(ctx, made, s.Version)
}

// owner refers to the worker's own pod, or to nothing.
func (p *Pods) owner(ctx context.Context) ([]metav1.OwnerReference, error) {
	if p.Worker == "" {
		return nil, nil
	}
	pod, err := kube.Read[corev1.Pod](ctx, p.Kube, kube.Pods(), p.Namespace, p.Worker)
	if err != nil {
		return nil, fmt.Errorf("read the worker's own pod, which is to own the control plane: %w", err)
	}
	return []metav1.OwnerReference{{APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID}}, nil
}

// removeLeftovers removes what an earlier process of this worker's pod has left, and pods that have
// ended, whoever made them, with what belongs to them. The garbage collector of the cluster
// removes what other workers leave, once their pods are gone.
func (p *Pods) removeLeftovers(ctx context.Context, owner []metav1.OwnerReference) error {
	var left []string
	err := kube.List(ctx, p.Kube, kube.Pods(), p.Namespace, podSelector, func(pod corev1.Pod) error {
		ended := pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded
		ours := len(owner) > 0 && len(pod.OwnerReferences) > 0 && pod.OwnerReferences[0].UID == owner[0].UID
		if _, runs := p.running.Load(pod.Name); (ended || ours) && !runs {
			left = append(left, pod.Name)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("look for control planes that were left: %w", err)
	}
	for _, name := range left {
		if err := p.remove(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// remove deletes the pod and what was made for it. It may repeat.
func (p *Pods) remove(ctx context.Context, name string) error {
	now := int64(0)
	var failed []error
	for _, r := range []kube.Resource{kube.Pods(), kube.Secrets(), kube.NetworkPolicies()} {
		o := kube.DeleteOptions{}
		if r.Kind == kube.Pods().Kind {
			o.GracePeriodSeconds = &now // it has nothing to save
		}
		if err := p.Kube.Delete(ctx, r, p.Namespace, name, o); err != nil && !kube.IsNotFound(err) {
			failed = append(failed, err)
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("remove a control plane: %w", errors.Join(failed...))
	}
	return nil
}

// runningPod is one control plane.
type runningPod struct {
	pods   *Pods
	name   string
	cancel context.CancelFunc // ends the forward
	died   chan error         // has room for one
}

// create makes the policy first, so that the pod is at no moment without it.
func (r *runningPod) create(ctx context.Context, owner []metav1.OwnerReference, image string, s Spec, c credentials) error {
	p := r.pods
	meta := metav1.ObjectMeta{Name: r.name, Namespace: p.Namespace, Labels: podLabels(r.name), OwnerReferences: owner}
	if _, err := kube.Make(ctx, p.Kube, kube.NetworkPolicies(), p.Namespace, policyOf(meta), kube.CreateOptions{}); err != nil {
		return notAllowed(err)
	}
	if _, err := kube.Make(ctx, p.Kube, kube.Secrets(), p.Namespace, secretOf(meta, c), kube.CreateOptions{}); err != nil {
		return notAllowed(err)
	}
	if _, err := kube.Make(ctx, p.Kube, kube.Pods(), p.Namespace, p.podOf(meta, image, s), kube.CreateOptions{}); err != nil {
		return notAllowed(err)
	}
	return nil
}

// notAllowed makes a refusal final and says what to grant.
func notAllowed(err error) error {
	if kube.IsForbidden(err) {
		return failure.Unusable("rehearsal.pod: the worker may not make a control plane in its namespace; it needs create and delete of pods, secrets and networkpolicies, and create and get of pods/portforward there (the chart grants them with configuration.rehearsal.pod): %v", err)
	}
	return fmt.Errorf("make a control plane: %w", err)
}

// connect waits until the pod runs and its API server serves.
func (r *runningPod) connect(ctx context.Context, c credentials, version string) (*Plane, error) {
	if err := r.awaitRunning(ctx); err != nil {
		return nil, err
	}
	// The forward outlives the activity's start and ends with stop.
	alive, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r.cancel = cancel
	port, err := connect.Forward(alive, r.pods.Kube, r.pods.Namespace, r.name, apiServerPort)
	if err != nil {
		return nil, err
	}
	plane := &Plane{Config: configOf(c, port), Ended: r.died, Stop: sync.OnceValues(r.stop)}
	plane.Version, err = awaitServing(ctx, plane.Config, version, func() error { return r.ended(ctx) })
	var wrong *wrongVersionError
	if errors.As(err, &wrong) {
		return nil, failure.Unusable("rehearsal.pod.versions[%s]: the API server of the image is of version %s", version, wrong.got)
	}
	if err != nil {
		return nil, err
	}
	go r.watch(alive)
	return plane, nil
}

// awaitRunning waits until both containers were started.
func (r *runningPod) awaitRunning(ctx context.Context) error {
	why := ""
	for end := time.Now().Add(podPatience); ; {
		pod, err := r.read(ctx)
		if err != nil {
			return err
		}
		if err := endOf(&pod); err != nil {
			return err
		}
		if pod.Status.Phase == corev1.PodRunning {
			return nil
		}
		why = waitsFor(&pod)
		if time.Now().After(end) {
			return fmt.Errorf("pod %s/%s does not run after %s: %s", r.pods.Namespace, r.name, podPatience, why)
		}
		if err := poll.Wait(ctx, lookPause); err != nil {
			return fmt.Errorf("wait for pod %s/%s (%s): %w", r.pods.Namespace, r.name, why, err)
		}
	}
}

func (r *runningPod) read(ctx context.Context) (corev1.Pod, error) {
	return kube.Read[corev1.Pod](ctx, r.pods.Kube, kube.Pods(), r.pods.Namespace, r.name)
}

func (r *runningPod) ended(ctx context.Context) error {
	pod, err := r.read(ctx)
	if err != nil {
		if kube.IsNotFound(err) {
			return fmt.Errorf("somebody deleted it: %w", err)
		}
		return nil // what is not known is asked again
	}
	return endOf(&pod)
}

// watch tells when a program ends before its time.
func (r *runningPod) watch(ctx context.Context) {
	for poll.Wait(ctx, podLook) == nil {
		if err := r.ended(ctx); err != nil && ctx.Err() == nil {
			r.died <- err
			return
		}
	}
}

// endOf is the error of a pod of which a program has ended, or that cannot begin.
func endOf(pod *corev1.Pod) error {
	for _, c := range pod.Status.ContainerStatuses {
		if t := c.State.Terminated; t != nil {
			return fmt.Errorf("%s ended in pod %s/%s: %s", c.Name, pod.Namespace, pod.Name, cmp.Or(strings.TrimSpace(t.Message), fmt.Sprintf("%s, exit code %d", t.Reason, t.ExitCode)))
		}
		if w := c.State.Waiting; w != nil && (w.Reason == "ErrImageNeverPull" || w.Reason == "InvalidImageName") {
			return failure.Unusable("rehearsal.pod: the image of %s: %s: %s", c.Name, w.Reason, w.Message)
		}
	}
	if pod.Status.Phase == corev1.PodFailed || pod.DeletionTimestamp != nil {
		return fmt.Errorf("pod %s/%s ended: %s", pod.Namespace, pod.Name, cmp.Or(pod.Status.Message, pod.Status.Reason, "it is being deleted"))
	}
	return nil
}

// waitsFor says what a pod that does not run waits for.
func waitsFor(pod *corev1.Pod) string {
	switch why := resource.WhyPodWaits(pod); {
	case why != "":
		return why
	case pod.Spec.NodeName != "":
		return "node " + pod.Spec.NodeName + " is starting it"
	}
	return "no node has taken it yet"
}

// stop removes it. What it cost is not known: the cluster's metrics are not asked.
func (r *runningPod) stop() (Usage, error) {
	if r.cancel != nil {
		r.cancel()
	}
	ctx, cancel := context.WithTimeout(context.Background(), cleanUpFor)
	defer cancel()
	err := r.pods.remove(ctx, r.name)
	if err == nil {
		r.pods.running.Delete(r.name)
	}
	return Usage{}, err
}
