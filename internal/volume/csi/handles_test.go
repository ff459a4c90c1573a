package csi

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/location"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

// ec2Of serves a simulated EC2 of one region, with one location for each user.
func ec2Of(t *testing.T, users ...ebssim.User) *location.Set {
	t.Helper()
	_, locations := simulatedEC2(t, users...)
	return locations
}

func simulatedEC2(t *testing.T, users ...ebssim.User) (*ebssim.Sim, *location.Set) {
	t.Helper()
	limits := ebssim.Fast()
	sim, err := ebssim.New(ebssim.Options{Dir: t.TempDir(), Region: "us-east-1", Limits: &limits, Users: users})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim)
	t.Cleanup(func() { server.Close(); sim.Close() })
	t.Setenv("AWS_ENDPOINT_URL_EC2", server.URL)
	t.Setenv("AWS_ENDPOINT_URL_STS", server.URL)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	cfg := &config.Config{}
	for _, u := range users {
		file := filepath.Join(t.TempDir(), u.Name)
		if err := os.WriteFile(file, fmt.Appendf(nil, "[default]\naws_access_key_id=%s\naws_secret_access_key=%s\n", u.AccessKeyID, u.SecretAccessKey), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg.VolumeSnapshotLocations = append(cfg.VolumeSnapshotLocations, velerov1.VolumeSnapshotLocation{
			ObjectMeta: metav1.ObjectMeta{Name: u.Name},
			Spec:       velerov1.VolumeSnapshotLocationSpec{Provider: "aws", Config: map[string]string{"region": "us-east-1", "credentialsFile": file}},
		})
	}
	return sim, location.New(cfg, func(ctx context.Context, l *velerov1.VolumeSnapshotLocation) (*ebs.Location, error) {
		return ebs.Open(ctx, l, ebs.Options{Attempts: 1})
	})
}

func user(name string, policies ...string) ebssim.User {
	u := ebssim.User{Name: name, AccessKeyID: "AKIA" + strings.ToUpper(name), SecretAccessKey: name}
	for _, p := range policies {
		u.Policies = append(u.Policies, json.RawMessage(p))
	}
	return u
}

// asking plans the restore of one claim from a CSI snapshot.
func asking(t *testing.T, handle, driver, nodeRegion string, users ...ebssim.User) (*checker, *volume.Restore) {
	t.Helper()
	node := corev1.Node{}
	if nodeRegion != "" {
		node.Labels = map[string]string{corev1.LabelTopologyRegion: nodeRegion}
	}
	c := &checker{Restorer: &Restorer{Locations: ec2Of(t, users...)}, view: volume.View{
		Facts: volume.NewFacts(),
		Nodes: func(context.Context) ([]corev1.Node, error) { return []corev1.Node{node}, nil },
	}}
	return c, &volume.Restore{
		PV: "pv", Namespace: "shop", Claim: "data", Disposition: volume.ProvisionBy(volume.MethodCSI), Selected: true,
		Snapshot: &volume.SnapshotPlan{Handle: handle, Driver: driver},
	}
}

// refusalsOf are the kind of the first refusal, and the texts of all.
func refusalsOf(f volume.Findings) (kind, text string) {
	var texts []string
	for _, r := range f.Refusals {
		kind, texts = cmp.Or(kind, r.Kind), append(texts, r.Text)
	}
	return kind, strings.Join(texts, "; ")
}

// TestHandlesAskedOfEC2: only where all that the driver may see was searched, a
// snapshot that was not found is missing.
func TestHandlesAskedOfEC2(t *testing.T) {
	const missing = "snap-0123456789abcdef0"
	blind := user("blind", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ec2:CreateSnapshot","Resource":"*"}]}`)
	for name, tc := range map[string]struct {
		handle, driver, region string
		users                  []ebssim.User
		kind, refused, reason  string
		known                  bool
	}{
		"missing":                     {missing, volume.DriverEBS, "us-east-1", []ebssim.User{user("admin")}, contract.ErrTypeNotFound, "(location admin, region us-east-1) does not exist", "", true},
		"missing in two places":       {missing, volume.DriverEBS, "us-east-1", []ebssim.User{user("admin"), user("other")}, contract.ErrTypeNotFound, "location admin, region us-east-1; location other", "", true},
		"no id":                       {"0815", volume.DriverEBS, "us-east-1", []ebssim.User{user("admin")}, contract.ErrTypeInvalid, `"0815", which is no id`, "", false},
		"denied":                      {missing, volume.DriverEBS, "us-east-1", []ebssim.User{blind}, "", "", "location blind: DescribeSnapshots: access denied", false},
		"one of two denied":           {missing, volume.DriverEBS, "us-east-1", []ebssim.User{user("admin"), blind}, "", "", "access denied", false},
		"region of nodes not known":   {missing, volume.DriverEBS, "", []ebssim.User{user("admin")}, "", "", "", false},
		"location of another region":  {missing, volume.DriverEBS, "eu-west-1", []ebssim.User{user("admin")}, "", "", "", false},
		"driver that EC2 knows not":   {"0815", "csi.example.org", "us-east-1", []ebssim.User{user("admin")}, "", "", "", false},
		"no location to ask":          {missing, volume.DriverEBS, "us-east-1", nil, "", "", "", false},
		"no location, and handle bad": {"0815", volume.DriverEBS, "us-east-1", nil, contract.ErrTypeInvalid, "claim shop/data", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			p, v := asking(t, tc.handle, tc.driver, tc.region, tc.users...)
			if err := p.checkHandles(t.Context(), []*volume.Restore{v}); err != nil {
				t.Fatal(err)
			}
			if kind, text := refusalsOf(p.Findings); kind != tc.kind || !strings.Contains(text, tc.refused) || (text == "") != (tc.refused == "") {
				t.Errorf("refused %q %q", kind, text)
			}
			if known := v.Snapshot.Known; known != tc.known {
				t.Errorf("known is %v", known)
			}
			switch {
			case tc.reason == "" && len(p.Reasons) > 0:
				t.Errorf("reasons %v", p.Reasons)
			case tc.reason != "" && (len(p.Reasons) != 1 || p.Reasons[0].Code != report.SnapshotUnchecked || !strings.Contains(p.Reasons[0].Message, tc.reason)):
				t.Errorf("reasons %v", p.Reasons)
			}
		})
	}
}

// TestJudge holds what EC2 says against the volume that the claim had.
func TestJudge(t *testing.T) {
	pv := corev1.PersistentVolume{}
	pv.Spec.CSI = &corev1.CSIPersistentVolumeSource{Driver: volume.DriverEBS, VolumeHandle: "vol-1"}
	good := ebs.Snapshot{ID: "snap-1", State: ebs.SnapshotCompleted, VolumeID: "vol-1", Tags: map[string]string{ebs.TagBackup: "of a policy", ebs.TagPV: "another"}}
	for name, tc := range map[string]struct {
		change func(*ebs.Snapshot)
		pv     corev1.PersistentVolume
		kind   string
		text   string
	}{
		"good":                      {func(*ebs.Snapshot) {}, pv, "", ""},
		"copied":                    {func(s *ebs.Snapshot) { s.VolumeID = location.CopiedVolume }, pv, "", ""},
		"the volume is not known":   {func(s *ebs.Snapshot) { s.VolumeID = "vol-2" }, corev1.PersistentVolume{}, "", ""},
		"of another volume":         {func(s *ebs.Snapshot) { s.VolumeID = "vol-2" }, pv, contract.ErrTypeInvalid, "snapshot snap-1 (here) was taken of vol-2, not of vol-1: the ids were mixed up; restore another backup"},
		"failed":                    {func(s *ebs.Snapshot) { s.State = ebs.SnapshotFailed }, pv, contract.ErrTypeInvalid, `state is "error"; restore another backup`},
		"pending":                   {func(s *ebs.Snapshot) { s.State = ebs.SnapshotPending }, pv, contract.ErrTypeInvalid, "wait and restore again"},
		"on its way out of the bin": {func(s *ebs.Snapshot) { s.State = ebs.SnapshotRecoverable }, pv, contract.ErrTypeInvalid, `state is "recoverable"`},
	} {
		t.Run(name, func(t *testing.T) {
			s := good
			tc.change(&s)
			p := &checker{view: volume.View{Facts: &volume.Facts{Volumes: map[string]corev1.PersistentVolume{"pv": tc.pv}}}}
			v := &volume.Restore{PV: "pv", Namespace: "shop", Claim: "data", Snapshot: &volume.SnapshotPlan{Handle: "snap-1"}}
			p.judgeSnapshot(v, ec2Answer{found: map[string]ebs.Snapshot{"snap-1": s}, where: "here"})
			if kind, text := refusalsOf(p.Findings); kind != tc.kind || !strings.Contains(text, tc.text) || (text == "") != (tc.text == "") || !v.Snapshot.Known {
				t.Errorf("refused %q %q", kind, text)
			}
		})
	}
}
