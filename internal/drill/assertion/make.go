package assertion

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	quantity "k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/definition"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/connect"
	"github.com/lifeboat-backup/lifeboat/internal/poll"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
)

// probeName is the name of the probe pod in each namespace, and containerName that of the
// container of probe pods and Jobs.
const (
	probeName     = "lifeboat-probe"
	containerName = "assertion"
)

// readyProbe makes the probe pod of a namespace, unless it is there, and waits until it is ready.
func (r *Runner) readyProbe(ctx context.Context, namespace string) (string, error) {
	if r.Probe == nil {
		return "", errors.New("the drill has no probe: name an image in spec.probe")
	}
	spec, day := r.podSpec(corev1.Container{Image: r.Probe.Image, Command: []string{"sleep", "86400"}}, r.Probe.PullSecrets), int64(24*60*60)
	spec.ActiveDeadlineSeconds = &day // the quota of the negative control admits it then
	restrict(&spec, nobody)
	pod := corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Name: probeName, Namespace: namespace, Labels: r.labels("probe")}, Spec: spec,
	}
	if _, err := kube.Make(ctx, r.Client, kube.Pods(), namespace, &pod, kube.WriteOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return "", fmt.Errorf("make the probe pod: %w", err)
	}
	for {
		made, err := kube.Read[corev1.Pod](ctx, r.Client, kube.Pods(), namespace, probeName)
		if err != nil && ctx.Err() == nil {
			return "", err
		}
		if resource.IsPodReady(&made) {
			return probeName, nil
		}
		if err := poll.Wait(ctx, r.lookAgain()); err != nil {
			return "", fmt.Errorf("the probe pod is not ready (%s): %w", cmp.Or(resource.WhyPodWaits(&made), "phase "+string(made.Status.Phase)), context.Cause(ctx))
		}
	}
}

func (r *Runner) lookAgain() time.Duration {
	if r.Look > 0 {
		return r.Look
	}
	return time.Second
}

func (r *Runner) labels(part string) map[string]string {
	all := map[string]string{contract.DrillPartLabel: part}
	maps.Copy(all, r.Labels)
	return all
}

// podSpec is a pod of one container that is no account of the cluster's and takes little.
func (r *Runner) podSpec(c corev1.Container, pullSecrets []string) corev1.PodSpec {
	no := false
	c.Name = containerName
	c.SecurityContext = &corev1.SecurityContext{AllowPrivilegeEscalation: &no}
	c.Resources = corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: quantity.MustParse("50m"), corev1.ResourceMemory: quantity.MustParse("64Mi")},
		Limits:   corev1.ResourceList{corev1.ResourceCPU: quantity.MustParse("1"), corev1.ResourceMemory: quantity.MustParse("512Mi")},
	}
	spec := corev1.PodSpec{
		Containers: []corev1.Container{c}, RestartPolicy: corev1.RestartPolicyNever, AutomountServiceAccountToken: &no, EnableServiceLinks: &no,
		PriorityClassName: r.PriorityClass,
		SecurityContext:   &corev1.PodSecurityContext{SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}},
	}
	for _, name := range pullSecrets {
		spec.ImagePullSecrets = append(spec.ImagePullSecrets, corev1.LocalObjectReference{Name: name})
	}
	return spec
}

// nobody is the user of the probe.
const nobody = 65534

// restrict makes a pod that the Pod Security Standard "restricted" takes.
func restrict(spec *corev1.PodSpec, user int64) {
	yes := true
	spec.SecurityContext.RunAsNonRoot, spec.SecurityContext.RunAsUser = &yes, &user
	spec.Containers[0].SecurityContext.Capabilities = &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}
}

// runJob runs the image of a job to its end. The value is the end of its log.
func (r *Runner) runJob(ctx context.Context, namespace string, a *definition.Assertion, n int) attempt {
	job := r.jobOf(namespace, a, n)
	if _, err := kube.Make(ctx, r.Client, kube.Jobs(), namespace, job, kube.WriteOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return attempt{err: fmt.Errorf("make the Job: %w", err)}
	}
	failed, err := r.awaitJob(ctx, namespace, job.Name)
	if err != nil {
		return attempt{err: err}
	}
	log, err := r.jobLog(ctx, namespace, job.Name)
	switch {
	case failed != "":
		return attempt{value: string(log), err: fmt.Errorf("the Job has failed: %s", failed)}
	case err != nil && a.Expect != nil:
		return attempt{err: err}
	}
	return attempt{value: string(log)}
}

// jobOf is the Job of an attempt. Its name follows from the assertion and the attempt, so that
// a repetition finds it.
func (r *Runner) jobOf(namespace string, a *definition.Assertion, n int) *batchv1.Job {
	sum := sha256.Sum256([]byte(a.Name))
	var none int32
	seconds := int64(max(1, a.AttemptTimeout().Seconds()))
	container := corev1.Container{Image: a.Job.Image, Command: a.Job.Command, Args: a.Job.Args}
	for _, name := range a.Job.EnvFromSecrets {
		container.EnvFrom = append(container.EnvFrom, corev1.EnvFromSource{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: name}}})
	}
	labels := r.labels("assertion")
	spec := r.podSpec(container, a.Job.PullSecrets)
	if a.Job.RunAsUser != nil {
		restrict(&spec, *a.Job.RunAsUser)
	}
	return &batchv1.Job{
		TypeMeta:   metav1.TypeMeta{APIVersion: "batch/v1", Kind: "Job"},
		ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("lifeboat-%s-%d", hex.EncodeToString(sum[:5]), n), Namespace: namespace, Labels: labels},
		Spec: batchv1.JobSpec{
			BackoffLimit: &none, ActiveDeadlineSeconds: &seconds,
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: spec},
		},
	}
}

// awaitJob waits until a Job has ended, and returns why it failed, "" if it did not.
func (r *Runner) awaitJob(ctx context.Context, namespace, name string) (string, error) {
	for {
		job, err := kube.Read[batchv1.Job](ctx, r.Client, kube.Jobs(), namespace, name)
		if err != nil && ctx.Err() == nil {
			return "", err
		}
		for _, c := range job.Status.Conditions {
			switch {
			case c.Status != corev1.ConditionTrue:
			case c.Type == batchv1.JobComplete:
				return "", nil
			case c.Type == batchv1.JobFailed:
				return c.Reason + ": " + c.Message, nil
			}
		}
		if err := poll.Wait(ctx, r.lookAgain()); err != nil {
			return "", fmt.Errorf("the Job %s has not ended: %w", name, context.Cause(ctx))
		}
	}
}

func (r *Runner) jobLog(ctx context.Context, namespace, name string) ([]byte, error) {
	pods, err := kube.ListMap[corev1.Pod](ctx, r.Client, kube.Pods(), namespace, batchv1.JobNameLabel+"="+name)
	if err != nil {
		return nil, err
	}
	for _, pod := range pods { // one: no attempt is repeated by the Job itself
		return connect.Log(ctx, r.Client, namespace, pod.Name, containerName, mostOutput)
	}
	return nil, fmt.Errorf("the Job %s has no pod", name)
}
