//go:build stack

package rehearsal

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/rehearsal/controlplane"
	"github.com/lifeboat-backup/lifeboat/internal/rehearsal/rehearsaltest"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// disturbed does something once a control plane serves.
type disturbed struct {
	controlplane.Provider
	then func()
}

func (d *disturbed) Start(ctx context.Context, s controlplane.Spec) (*controlplane.Plane, error) {
	plane, err := d.Provider.Start(ctx, s)
	time.AfterFunc(time.Second, d.then)
	return plane, err
}

// TestEnds: a rehearsal that is cancelled, or whose API server dies, leaves nothing and says
// nothing of the backup; the next attempt proves it.
func TestEnds(t *testing.T) {
	root := memoryDirectory(t)
	st := memstore.New()
	rehearsaltest.Put(t, st, "b", load(t, 4000)...)
	keys := len(st.Keys())
	ctx, cancel := context.WithCancel(t.Context())
	kill := func() {
		files, _ := filepath.Glob(filepath.Join(root, "*", "kube-apiserver.pid"))
		for _, f := range files {
			data, _ := os.ReadFile(f)
			if pid, err := strconv.Atoi(string(data)); err == nil {
				syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	}
	for name, d := range map[string]struct {
		ctx  context.Context
		then func()
		text string
	}{"cancelled": {ctx, cancel, "context canceled"}, "API server killed": {t.Context(), kill, "kube-apiserver ended: signal: killed"}} {
		p := &disturbed{processes(t, root), d.then}
		_, err := rehearsaltest.Service(st, p, nil).Rehearse(d.ctx, &heartbeat.Recorder{}, contract.RehearseInput{Backup: "b"})
		if err == nil || failure.TypeOf(err) != "" || !strings.Contains(err.Error(), d.text) {
			t.Errorf("%s: %v", name, err)
		}
		if left, _ := os.ReadDir(root); len(left) > 0 || len(st.Keys()) != keys {
			t.Errorf("%s: left over: %v, %d keys", name, left, len(st.Keys()))
		}
	}
	res, err := rehearsaltest.Service(st, processes(t, root), nil).Rehearse(t.Context(), &heartbeat.Recorder{}, contract.RehearseInput{Backup: "b"})
	if err != nil || res.Level != contract.LevelEqual {
		t.Errorf("%+v, %v", res, err)
	}
}
