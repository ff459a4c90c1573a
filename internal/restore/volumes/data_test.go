package volumes

import (
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
	"github.com/lifeboat-backup/lifeboat/internal/restore"
	"github.com/lifeboat-backup/lifeboat/internal/restore/restoretest"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// TestClaimsWithoutData: a claim that comes back without its data, or with the disk of the
// cluster that was backed up, is told, once.
func TestClaimsWithoutData(t *testing.T) {
	no := false
	live := func(change func(*liveVolumes)) func(*planner) { return func(p *planner) { change(p.live) } }
	for name, tt := range map[string]struct {
		policy string
		info   volume.Info
		spec   velerov1.RestoreSpec
		change func(*planner)
		want   []string
	}{
		"skipped, deleted with its claim": {
			"Delete",
			volume.Info{PVName: "pv", Skipped: true, SkippedReason: "no path takes it"},
			velerov1.RestoreSpec{},
			nil,
			[]string{"VOLUME_EMPTY warning gets an empty volume: the backup has no data of it (no path takes it)"},
		},
		"skipped, retained": {
			"Retain",
			volume.Info{PVName: "pv", Skipped: true},
			velerov1.RestoreSpec{},
			nil,
			[]string{"VOLUME_SHARED warning volume pv points at the same disk or share as in the cluster that was backed up"},
		},
		"skipped, retained here": {
			"Retain",
			volume.Info{PVName: "pv", Skipped: true},
			velerov1.RestoreSpec{},
			live(func(l *liveVolumes) { l.volumes = map[string]corev1.PersistentVolume{"pv": *pvOf("Retain")} }), nil,
		},
		"the claim is there": {
			"Delete",
			volume.Info{PVName: "pv", Skipped: true},
			velerov1.RestoreSpec{},
			live(func(l *liveVolumes) { l.claims = map[string]corev1.PersistentVolumeClaim{"shop/data": {}} }), nil,
		},
		"no data asked for": {"Delete", volume.Info{PVName: "pv", Skipped: true}, velerov1.RestoreSpec{RestorePVs: &no}, nil, nil},
		"its snapshot failed": {
			"Delete",
			volume.Info{PVName: "pv", BackupMethod: volume.VeleroCSI, Result: volume.Failed},
			velerov1.RestoreSpec{},
			nil,
			[]string{"VOLUME_NOT_RESTORED error the backup holds no complete snapshot of it"},
		},
		"another namespace": {"Delete", volume.Info{PVName: "pv", Skipped: true}, velerov1.RestoreSpec{IncludedNamespaces: []string{"other"}}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			run, _ := restoretest.StoredSession(t, []restoretest.Stored{{Key: "persistentvolumeclaims shop/data"}}, tt.spec)
			p := &planner{
				r: withTechnologies(), s: run, filter: run.Plan.Filter, wide: run.Plan.Filter, facts: volume.NewFacts(),
				live: &liveVolumes{}, plan: &restore.Volumes{}, untold: map[string]bool{},
			}
			claim := corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "data"}}
			claim.Spec.VolumeName = "pv"
			p.facts.Claims, p.facts.Volumes["pv"], p.facts.Infos["pv"] = []corev1.PersistentVolumeClaim{claim}, *pvOf(tt.policy), tt.info
			if tt.change != nil {
				tt.change(p)
			}
			if err := p.pairClaimsWithVolumes(t.Context()); err != nil {
				t.Fatal(err)
			}
			for i := range p.plan.Volumes {
				p.leaveExisting(&p.plan.Volumes[i])
				p.tellOfData(&p.plan.Volumes[i])
			}
			var got []string
			for _, r := range p.Reasons {
				got = append(got, string(r.Code)+" "+string(r.Severity)+" "+r.Message)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

// TestRefusedVolumePatch: a webhook that refuses a volume's patch, or cannot be called for
// some minutes, ends as a warning of its claim and does not hold the restore.
func TestRefusedVolumePatch(t *testing.T) {
	for name, tt := range map[string]struct {
		code    int
		text    string
		healthy bool
		waited  time.Duration
		settled bool
		fails   bool
	}{
		"denied":                {http.StatusForbidden, `admission webhook "w" denied the request`, true, 0, true, false},
		"not called yet":        {http.StatusInternalServerError, `failed calling webhook "w"`, true, time.Minute, false, false},
		"not called in time":    {http.StatusInternalServerError, `failed calling webhook "w"`, true, 5 * time.Minute, true, false},
		"a server that is well": {http.StatusInternalServerError, "no", true, 0, true, false},
		"a server that is not":  {http.StatusInternalServerError, "no", false, 0, false, true},
		"shed load":             {http.StatusTooManyRequests, "no", true, 0, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := kubetest.Start(t, kubetest.WithoutNetwork())
				s.PutJSON(`{"apiVersion":"v1","kind":"PersistentVolume","metadata":{"name":"pv"},"spec":{"persistentVolumeReclaimPolicy":"Delete"}}`)
				s.Refuse(kubetest.On("patch", kube.Volumes()), tt.code, "", tt.text)
				s.SetHealthy(tt.healthy)
				p := &claimWatcher{s: &restore.Run{}, r: &restore.Service{Kube: s.Client()}, waited: tt.waited}
				v := &volume.Restore{PV: "old", Namespace: "shop", Claim: "data", Target: "shop", Disposition: volume.Dynamic, Selected: true, Patch: true, Reclaim: "Retain"}
				claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{UID: "claim"}, Spec: corev1.PersistentVolumeClaimSpec{VolumeName: "pv"}}
				end, settled, err := p.patchBound(t.Context(), v, claim)
				if settled != tt.settled || (err != nil) != tt.fails || (len(end.Reasons) > 0) != tt.settled {
					t.Errorf("%+v, settled %t, %v", end, settled, err)
				}
			})
		})
	}
}
