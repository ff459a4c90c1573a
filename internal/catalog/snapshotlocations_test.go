package catalog

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/volume/location"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

// The workflow lets through what the activity answers, no more and no less.
func TestReadVerbs(t *testing.T) {
	known := (&Reader{}).readersByVerb()
	if len(known) != len(contract.ReadVerbs()) {
		t.Errorf("%d verbs, of which the workflow knows %d", len(known), len(contract.ReadVerbs()))
	}
	for _, verb := range contract.ReadVerbs() {
		if known[verb] == nil {
			t.Errorf("%s is not answered", verb)
		}
	}
}

func TestReadSnapshotLocations(t *testing.T) {
	l := snapshotLocations("a", "b")
	l.Config().VolumeSnapshotLocations[1].Spec.Config["credentialsFile"] = "/credentials/cloud"
	l.Config().VolumeSnapshotLocations[1].Spec.Config["ebsKmsKeyId"] = "alias/disks"
	c := &Reader{Config: l.Config(), Snapshots: l}
	read := func(name string) ([]byte, error) {
		res, err := c.Read(t.Context(), contract.ReadInput{Verb: contract.ReadSnapshotLocations, Name: name})
		data, _ := json.Marshal(res.SnapshotLocations)
		return data, err
	}
	const b = `{"name":"b","provider":"aws","region":"eu-west-1","kmsKeyID":"alias/disks"}`
	for name, want := range map[string]string{"": `[{"name":"a","provider":"aws","region":"eu-west-1"},` + b + `]`, "b": `[` + b + `]`} {
		if got, err := read(name); err != nil || string(got) != want {
			t.Errorf("%q: %s, %v", name, got, err)
		}
	}
	if _, err := read("x"); failure.TypeOf(err) != contract.ErrTypeNotFound || !strings.Contains(err.Error(), `no location "x"; known are a, b`) {
		t.Errorf("unknown: %v", err)
	}
	none := snapshotLocations()
	res, err := (&Reader{Config: none.Config(), Snapshots: none}).Read(t.Context(), contract.ReadInput{Verb: contract.ReadSnapshotLocations})
	if err != nil || len(res.SnapshotLocations) != 0 {
		t.Errorf("none: %+v, %v", res, err)
	}
}

// account is a simulated AWS account with a user that may do what the policy says.
func account(t *testing.T, policy string) (credentials func(secret string) string) {
	t.Helper()
	const secret = "lifeboat-secret"
	sim, err := ebssim.New(ebssim.Options{Dir: t.TempDir(), Region: "eu-west-1", Users: []ebssim.User{
		{Name: "lifeboat", AccessKeyID: "AKIALIFEBOAT", SecretAccessKey: secret, Policies: []json.RawMessage{[]byte(policy)}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim)
	t.Cleanup(func() { server.Close(); sim.Close() })
	t.Setenv("AWS_ENDPOINT_URL_EC2", server.URL)
	t.Setenv("AWS_ENDPOINT_URL_STS", server.URL)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CA_BUNDLE", "")
	return func(secret string) string {
		file := filepath.Join(t.TempDir(), "credentials")
		text := fmt.Sprintf("[default]\naws_access_key_id=AKIALIFEBOAT\naws_secret_access_key=%s\n", secret)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
}

func TestCheckSnapshotLocation(t *testing.T) {
	credentials := account(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ec2:DescribeVolumes","ec2:DescribeAvailabilityZones"],"Resource":"*"}]}`)
	good, bad := credentials("lifeboat-secret"), credentials("another-secret")
	l := snapshotLocations("good", "bad")
	l.Config().VolumeSnapshotLocations[0].Spec.Config["credentialsFile"] = good
	l.Config().VolumeSnapshotLocations[1].Spec.Config["credentialsFile"] = bad
	c := &Reader{Config: l.Config(), Snapshots: l}
	check := func(name string) contract.SnapshotLocationStatus {
		t.Helper()
		res, err := c.Read(t.Context(), contract.ReadInput{Verb: contract.ReadSnapshotLocationCheck, Name: name})
		if err != nil || len(res.SnapshotLocations) != 1 {
			t.Fatalf("%s: %+v, %v", name, res, err)
		}
		if text := fmt.Sprintf("%+v", res); strings.Contains(text, "-secret") {
			t.Errorf("%s tells a secret: %s", name, text)
		}
		return res.SnapshotLocations[0]
	}
	got := check("good")
	if got.Phase != "Unavailable" || got.Account != "111122223333" || !strings.HasSuffix(got.Identity, "user/lifeboat") || len(got.Capabilities) != 3 {
		t.Fatalf("%+v", got)
	}
	for _, p := range got.Capabilities {
		denied := p.Name == "ec2:DescribeSnapshots"
		if p.OK == denied || denied != strings.Contains(p.Detail, "access denied") || denied != (p.Consequence != "") {
			t.Errorf("%+v", p)
		}
	}
	if got := check("bad"); got.Phase != "Unavailable" || got.Account != "" || !strings.Contains(got.Message, "GetCallerIdentity") || got.Capabilities != nil {
		t.Errorf("%+v", got)
	}
	_, err := c.Read(t.Context(), contract.ReadInput{Verb: contract.ReadSnapshotLocationCheck, Name: "x"})
	if failure.TypeOf(err) != contract.ErrTypeNotFound {
		t.Errorf("unknown: %v", err)
	}
}

func TestCheckGoodSnapshotLocation(t *testing.T) {
	credentials := account(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ec2:Describe*","Resource":"*"}]}`)
	l := snapshotLocations("good")
	l.Config().VolumeSnapshotLocations[0].Spec.Config["credentialsFile"] = credentials("lifeboat-secret")
	res, err := (&Reader{Config: l.Config(), Snapshots: l}).Read(t.Context(), contract.ReadInput{Verb: contract.ReadSnapshotLocationCheck, Name: "good"})
	if err != nil || res.SnapshotLocations[0].Phase != "Available" || res.SnapshotLocations[0].Message != "" {
		t.Errorf("%+v, %v", res, err)
	}
}

func snapshotLocations(names ...string) *location.Set {
	cfg := &config.Config{}
	for _, name := range names {
		l := velerov1.VolumeSnapshotLocation{}
		l.Name, l.Spec.Provider, l.Spec.Config = name, "aws", map[string]string{"region": "eu-west-1"}
		cfg.VolumeSnapshotLocations = append(cfg.VolumeSnapshotLocations, l)
	}
	return location.New(cfg, location.OpenEBS(cfg, nil))
}
