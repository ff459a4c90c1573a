package csi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"

	snapshotv1 "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/snapshotcontent"
	"github.com/lifeboat-backup/lifeboat/internal/volume/volumetest"
)

// TestDeleter: the driver keeps the promises of volume.Deleter.
func TestDeleter(t *testing.T) {
	t.Parallel()
	volumetest.RunDeleter(t, func(t *testing.T, test func(*testing.T, volumetest.DeleteWorld)) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) { test(t, newDeleteWorld(t)) })
	})
}

// deleteWorld is a cluster whose snapshotter, with a CSI driver behind it, is played by the test.
type deleteWorld struct {
	*csiCluster
	client *kube.Client
	taken  int
	denied string // a handle; guarded by the cluster's lock
}

func newDeleteWorld(t *testing.T) *deleteWorld {
	cluster := newCluster(t)
	w := &deleteWorld{csiCluster: cluster, client: cluster.Client()}
	w.React(kubetest.On("create", kube.VolumeSnapshotContents()), w.refuseDenied)
	return w
}

// refuseDenied is an admission policy of the cluster, which lets nobody make a content of one snapshot.
func (w *deleteWorld) refuseDenied(q kubetest.Request) error {
	var c snapshotv1.VolumeSnapshotContent
	if err := json.Unmarshal(q.Body, &c); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if snapshotcontent.HandleOf(c) != w.denied {
		return nil
	}
	return &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden, Message: "not you"}}
}

func (w *deleteWorld) Deleter() volume.Deleter {
	return &Deleter{Kube: w.client, Provider: &provider{shows: map[string]int{}}}
}

func (w *deleteWorld) Snapshot(volume.Owner, string) volume.Ref {
	w.taken++
	handle := fmt.Sprint("taken-", w.taken)
	w.setBehaviour(handle, "works")
	return volume.CSIRef{Driver: exampleDriver, Handle: handle}
}

func (w *deleteWorld) setBehaviour(handle, behaviour string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.behaves[handle] = behaviour
}

func (w *deleteWorld) Exists(ref volume.Ref) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.behaves[ref.(volume.CSIRef).Handle] != "gone"
}

func (w *deleteWorld) Delete(ref volume.Ref) { w.setBehaviour(ref.(volume.CSIRef).Handle, "gone") }

func (w *deleteWorld) Lock(ref volume.Ref) { w.setBehaviour(ref.(volume.CSIRef).Handle, "refuses") }

func (w *deleteWorld) LoseReply() {
	w.Server.LoseReply(kubetest.On("delete", kube.VolumeSnapshotContents()).Times(1))
}

func (w *deleteWorld) Deny(ref volume.Ref) { w.deny(ref.(volume.CSIRef).Handle) }

func (w *deleteWorld) Allow() { w.deny("") }

func (w *deleteWorld) deny(handle string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.denied = handle
}
