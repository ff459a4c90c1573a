package snapshot

import (
	"context"
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lifeboat-backup/lifeboat/internal/backup"
	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/hook"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/repository/repositorytest"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/volumetest"
)

// A run of another cluster is not cleaned up here: its pods are not the pods of the same
// names in this cluster. Those of a cluster that this one replaces are gone.
func TestAbandonOfAnotherCluster(t *testing.T) {
	for name, tc := range map[string]struct {
		of, replaces string
		wrong, thaws bool
	}{
		"ours":           {of: "ours", thaws: true},
		"an older one's": {thaws: true},
		"another's":      {of: "other", wrong: true},
		"replaced":       {of: "other", replaces: "other"},
	} {
		t.Run(name, func(t *testing.T) {
			api := kubetest.Start(t, kubetest.WithIdentity("ours"))
			api.Put(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "db", UID: "pod"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c"}}}})
			st := memstore.New()
			plan := backup.Plan{UID: "uid", Run: contract.Run{Cluster: "prod"}, Binding: contract.Binding{Cluster: tc.of}}
			plan.Volumes.Units = []backup.Unit{{Pods: []backup.PodHooks{{Namespace: "shop", Name: "db", Post: []hook.Hook{{Container: "c", Command: []string{"thaw"}, Timeout: time.Minute}}}}}}
			stage := repository.NewStaging(st, "uid")
			if err := stage.Put(t.Context(), repository.PlanFile, plan); err != nil {
				t.Fatal(err)
			}
			st.Set(stage.Key(repository.QuiesceJournalFile(0)), []byte(`{"owner":"lost","freezes":1}`))
			s := &backup.Service{
				Config: &config.Config{Cluster: "prod", ReplacesCluster: tc.replaces}, Kube: api.Client(),
				Locations: repositorytest.Locations(repositorytest.Stores{"default": st}),
			}
			err := Abandon(t.Context(), s, contract.BackupRef{Name: "b", UID: "uid", Location: "default"})
			if failure.IsWrongWorker(err) != tc.wrong || err != nil && !tc.wrong {
				t.Errorf("%v", err)
			}
			asked := api.Count(func(q kubetest.Request) bool { return q.Resource == "pods" })
			if (asked > 0) != tc.thaws {
				t.Errorf("%d requests for pods of this cluster", asked)
			}
		})
	}
}

// TestAbandonThawsEveryUnit: a unit whose journal cannot be read does not leave the pods of the
// others frozen.
func TestAbandonThawsEveryUnit(t *testing.T) {
	api := kubetest.Start(t, kubetest.WithIdentity("ours"))
	st := memstore.New()
	plan := backup.Plan{UID: "uid", Run: contract.Run{Cluster: "prod"}, Binding: contract.Binding{Cluster: "ours"}}
	for _, pod := range []string{"unreadable", "db"} {
		api.Put(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: pod, UID: types.UID(pod)}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c"}}}})
		plan.Volumes.Units = append(plan.Volumes.Units, backup.Unit{Pods: []backup.PodHooks{{Namespace: "shop", Name: pod, Post: []hook.Hook{{Container: "c", Command: []string{"thaw"}, Timeout: time.Minute}}}}})
	}
	stage := repository.NewStaging(st, "uid")
	if err := stage.Put(t.Context(), repository.PlanFile, plan); err != nil {
		t.Fatal(err)
	}
	st.Set(stage.Key(repository.QuiesceJournalFile(0)), []byte(`{"owner":7}`))
	st.Set(stage.Key(repository.QuiesceJournalFile(1)), []byte(`{"owner":"lost","freezes":1}`))
	s := &backup.Service{
		Config: &config.Config{Cluster: "prod"}, Kube: api.Client(),
		Locations: repositorytest.Locations(repositorytest.Stores{"default": st}),
	}
	err := Abandon(t.Context(), s, contract.BackupRef{Name: "b", UID: "uid", Location: "default"})
	if err == nil {
		t.Error("a journal that cannot be read is no error")
	}
	if api.Count(func(q kubetest.Request) bool { return q.Resource == "pods" && q.Name == "db" }) == 0 {
		t.Errorf("the pod of the second unit was not asked to thaw: %v", err)
	}
}

// refusing is a driver that may not delete.
type refusing struct{ volume.Snapshotter }

func (refusing) Discard(context.Context, []volume.Snapshot, map[int]bool) error {
	return errors.New("not you")
}

// TestDiscardByAll: what one driver is refused, the next one deletes all the same.
func TestDiscardByAll(t *testing.T) {
	s, drivers, worlds := threeTechnologies()
	options := volume.ReserveOptions{Quiesced: true, Deadline: time.Now().Add(time.Minute), TooLate: volume.ErrNoCapacity, Attempt: 1}
	if err := s.takeQuiesced(t.Context(), drivers, options); err != nil {
		t.Fatal(err)
	}
	s.releaseReservations()
	drivers[0].Snapshotter = refusing{drivers[0].Snapshotter}
	if err := discardByAll(t.Context(), drivers, s.snapshots); err == nil {
		t.Error("a refusal is no error")
	}
	for _, method := range []volume.Method{volume.MethodCSI, volumetest.MethodMemory} {
		if left := worlds[method].Existing("uid"); len(left) > 0 {
			t.Errorf("%s has snapshots of %v", method, left)
		}
	}
}
