package drill

import (
	"cmp"
	"context"
	"fmt"
	"io"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/definition"
	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
)

// Control plants faults in the copy, after everything else was proven of it, and has the same
// checks look: a check that finds none of them proves nothing. It may repeat, and goes last: the
// copy is broken afterwards. One that is kept is for people to use: it gets no fault that breaks it,
// and nothing is left of the others.
func (s *Service) Control(ctx context.Context, p *heartbeat.Recorder, in contract.AssertDrillInput) (contract.DrillControl, error) {
	run, err := s.copyOf(ctx, in.Ref)
	if err != nil {
		return contract.DrillControl{}, err
	}
	plants := []func(context.Context, *restore.Run, *heartbeat.Recorder, contract.AssertDrillInput) ([]evidence.Fault, error){s.flipBit, s.plantPod}
	if !in.Keep {
		plants = append(plants, s.stopWorkloads, s.takeObject)
	}
	out := contract.DrillControl{Spared: in.Keep}
	for _, plant := range plants {
		faults, err := plant(ctx, run, p, in)
		if err != nil {
			return contract.DrillControl{}, fmt.Errorf("plant a fault: %w", err)
		}
		out.Faults = append(out.Faults, faults...)
	}
	return out, nil
}

// flipped reads an archive of which one bit of the first member is not as it was written.
type flipped struct {
	archive.Source
	tarball string
	at      int64
}

// ReadRange implements archive.Source.
func (f flipped) ReadRange(ctx context.Context, file string, off, n int64) (io.ReadCloser, error) {
	body, err := f.Source.ReadRange(ctx, file, off, n)
	if err != nil || file != f.tarball || f.at < off || f.at >= off+n {
		return body, err
	}
	return &flippedBody{ReadCloser: body, left: f.at - off}, nil
}

// flippedBody flips a bit behind left bytes.
type flippedBody struct {
	io.ReadCloser
	left int64
}

func (b *flippedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left >= 0 && b.left < int64(n) {
		p[b.left] ^= 1
	}
	b.left -= int64(n)
	return n, err
}

// flipBit has L0 look at a backup of which one bit differs. Of Velero's there is no L0 to speak
// of.
func (s *Service) flipBit(ctx context.Context, run *restore.Run, _ *heartbeat.Recorder, _ contract.AssertDrillInput) ([]evidence.Fault, error) {
	if run.Archive.Foreign || len(run.Arc.Members()) == 0 {
		return nil, nil
	}
	_, st, err := s.Locations.Get(ctx, run.Source)
	if err != nil {
		return nil, err
	}
	files := layout.Backup{Name: run.Archive.Backup}
	arc, err := archive.Open(ctx, flipped{repository.NewSource(st), files.Tarball(), run.Arc.Members()[0].Offset + 30}, files)
	if err == nil {
		err = arc.Verify(ctx, func(int64) {})
	}
	if err != nil && !archive.IsDamaged(err) {
		return nil, err
	}
	return []evidence.Fault{faultOf("one bit of the first member of the tarball is read flipped", contract.LevelBytes, failure.Text(err))}, nil
}

// faultOf is a fault that was detected if the check had something to say.
func faultOf(planted, check, found string) evidence.Fault {
	f := evidence.Fault{Planted: planted, Check: check, Detected: found != "", Found: evidence.Text(found)}
	if !f.Detected {
		f.Found = "nothing was found"
	}
	return f
}

const controlPod = "lifeboat-drill-control"

// plantPod adds a pod that no node takes, which L4 has to find.
func (s *Service) plantPod(ctx context.Context, run *restore.Run, _ *heartbeat.Recorder, in contract.AssertDrillInput) ([]evidence.Fault, error) {
	no, deadline := false, int64(24*60*60) // so that the quota of stopNamespace, which a repetition finds, admits it
	namespace := targets(run)[0]
	pod := &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Name: controlPod, Namespace: namespace, Labels: contract.DrillLabels(s.Config.Cluster, in.Ref.ID)},
		Spec: corev1.PodSpec{
			AutomountServiceAccountToken: &no, ActiveDeadlineSeconds: &deadline, NodeSelector: map[string]string{contract.DrillLabel: "nowhere"}, RestartPolicy: corev1.RestartPolicyNever,
			Containers: []corev1.Container{{Name: "c", Image: "invalid.invalid/none", SecurityContext: restricted()}},
		},
	}
	_, err := kube.Make(ctx, s.Kube, kube.Pods(), namespace, pod, kube.CreateOptions{FieldManager: resource.FieldManager})
	if err != nil && !kube.IsAlreadyExists(err) {
		if down := s.Restore.Outage(ctx, err); down != nil {
			return nil, down
		}
		return nil, nil // a quota or a policy of the copy's: the other faults have to do
	}
	ready, err := s.lookAt(ctx, run)
	if err == nil && in.Keep {
		err = s.takePod(ctx, namespace)
	}
	if err != nil {
		return nil, err
	}
	return []evidence.Fault{faultOf("a pod was added that no node takes", contract.LevelReady, ready.Workloads.Detail)}, nil
}

// takePod removes the pod that no node takes.
func (s *Service) takePod(ctx context.Context, namespace string) error {
	now := int64(0)
	err := s.Kube.Delete(ctx, kube.Pods(), namespace, controlPod, kube.DeleteOptions{GracePeriodSeconds: &now})
	if kube.IsNotFound(err) {
		return nil
	}
	return err
}

// restricted is what the strictest of the Pod Security Standards asks of a container.
func restricted() *corev1.SecurityContext {
	yes, no := true, false
	return &corev1.SecurityContext{
		AllowPrivilegeEscalation: &no, RunAsNonRoot: &yes, Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
}

// stopWorkloads stops every workload of the copy, which every assertion that asks one has to
// find.
func (s *Service) stopWorkloads(ctx context.Context, run *restore.Run, p *heartbeat.Recorder, in contract.AssertDrillInput) ([]evidence.Fault, error) {
	var asking []definition.Assertion
	for _, a := range in.Assertions {
		if a.Exec != nil || a.HTTP != nil || a.TCP != nil {
			a.Retries = 0
			asking = append(asking, a)
		}
	}
	if len(asking) == 0 {
		return nil, nil
	}
	for _, namespace := range targets(run) {
		if err := s.stopNamespace(ctx, namespace); err != nil {
			return nil, cmp.Or(s.Restore.Outage(ctx, err), fmt.Errorf("stop the workloads of namespace %s: %w", namespace, err))
		}
	}
	runner, err := s.runner(ctx, run, p, in)
	if err != nil {
		return nil, err
	}
	var faults []evidence.Fault
	for _, a := range asking {
		res := runner.Run(ctx, a)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		found := ""
		if res.Outcome != evidence.Held {
			found = "failed: " + res.Detail
		}
		faults = append(faults, faultOf("all workloads of the copy were stopped", a.Name, found))
	}
	return faults, nil
}

// takeObject deletes an object of the copy, which L2 has to find.
func (s *Service) takeObject(ctx context.Context, run *restore.Run, _ *heartbeat.Recorder, in contract.AssertDrillInput) ([]evidence.Fault, error) {
	var staged account
	if err := run.Stage.Get(ctx, accountFile, &staged); err != nil {
		return nil, err
	}
	if staged.Sample == nil {
		return nil, nil
	}
	j, err := s.newJudgement(ctx, in.Ref)
	if err != nil {
		return nil, err
	}
	body, e, err := run.Arc.Read(ctx, *staged.Sample)
	if err != nil {
		return nil, err
	}
	types, err := s.Kube.Discover(ctx)
	if err != nil {
		return nil, err
	}
	res, ok := types.InVersion(e.Resource, e.Version)
	if !ok || e.Namespace == "" {
		return nil, nil
	}
	err = s.Kube.Delete(ctx, res, run.Plan.Filter.TargetNamespace(e.Namespace), e.Name, kube.DeleteOptions{})
	if err != nil && !kube.IsNotFound(err) {
		return nil, err
	}
	found, err := j.differences(ctx, e, body)
	if err != nil {
		return nil, err
	}
	text := ""
	if found.lost {
		text = e.Resource + " " + e.Object() + " is not there"
	}
	return []evidence.Fault{faultOf("an object of the copy was deleted: "+e.Resource+" "+e.Object(), contract.LevelEqual, text)}, nil
}
