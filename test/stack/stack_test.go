package stack

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestSign checks against the worked example in the AWS documentation ("GET Bucket Lifecycle").
func TestSign(t *testing.T) {
	req, err := http.NewRequest(http.MethodGet, "https://examplebucket.s3.amazonaws.com/?lifecycle=", nil)
	if err != nil {
		t.Fatal(err)
	}
	s3 := S3{Region: "us-east-1", AccessKey: "AKIAIOSFODNN7EXAMPLE", SecretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}
	s3.sign(req, "", time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC))
	const want = "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
	if got := req.Header.Get("Authorization"); !strings.HasSuffix(got, "Signature="+want) {
		t.Errorf("got %s, want signature %s", got, want)
	}
}

func TestEveryComponentIsPinned(t *testing.T) {
	seen := map[string]string{}
	for _, c := range components() {
		path, err := c.path()
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if other, taken := seen[path]; taken {
			t.Errorf("%s and %s share %s", c.name, other, path)
		}
		seen[path] = c.name
	}
}

func TestUnknownComponentIsNamed(t *testing.T) {
	err := Build(t.Context(), nil, "minio")
	if err == nil || !strings.Contains(err.Error(), `no component "minio"`) {
		t.Errorf("got %v", err)
	}
}

func TestBinarySaysHowToBuild(t *testing.T) {
	t.Setenv("LIFEBOAT_CACHE", t.TempDir())
	_, err := Binary("etcd")
	if err == nil || !strings.Contains(err.Error(), "stack build etcd") {
		t.Errorf("got %v", err)
	}
}

func TestOptionsNameTheirComponents(t *testing.T) {
	all := Components()
	known := map[string]bool{}
	for _, name := range all {
		known[name] = true
	}
	for _, name := range (Options{Kwok: true, SnapshotController: true}).Components() {
		if !known[name] {
			t.Errorf("options ask for %s, which is not a component", name)
		}
	}
}

func TestPortsAreDistinctAndBelowEphemeral(t *testing.T) {
	ports, err := freePorts(20)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for _, port := range ports {
		if seen[port] || port < lowestPort || port > highestPort {
			t.Errorf("port %d: taken twice or out of range", port)
		}
		seen[port] = true
	}
}

func TestCRDName(t *testing.T) {
	got, err := crdName("apiVersion: apiextensions.k8s.io/v1\nmetadata:\n  annotations:\n    name: x\n  name: volumesnapshots.snapshot.storage.k8s.io\nspec:\n")
	if err != nil || got != "volumesnapshots.snapshot.storage.k8s.io" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := crdName("spec: {}\n"); err == nil {
		t.Error("a document without name passed")
	}
}

func TestHasCondition(t *testing.T) {
	object := []byte(`{"status":{"conditions":[{"type":"Ready","status":"False"},{"type":"Established","status":"True"}]}}`)
	if hasCondition(object, "Ready") || !hasCondition(object, "Established") || hasCondition(nil, "Ready") {
		t.Error("condition misread")
	}
}

func TestAttachNamesMissingStack(t *testing.T) {
	if _, err := Attach(t.TempDir()); err == nil {
		t.Error("attached to nothing")
	}
}

func TestStartRefusesRunningDirectory(t *testing.T) {
	s := &Stack{Dir: t.TempDir()}
	svc, _ := sleeper(t, s)
	if err := s.record(t.Context(), svc); err != nil {
		t.Fatal(err)
	}
	_, err := prepare(t.Context(), Options{Dir: s.Dir})
	if err == nil || !strings.Contains(err.Error(), "already runs") {
		t.Errorf("got %v", err)
	}
}
