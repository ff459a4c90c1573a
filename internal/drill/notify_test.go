package drill

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/drill/definition"
	"github.com/lifeboat-backup/lifeboat/internal/drill/notify"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
	"github.com/lifeboat-backup/lifeboat/internal/repository/drills"
	"github.com/lifeboat-backup/lifeboat/internal/repository/repositorytest"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
)

// TestNotify: the message is what the stored evidence says, or the result's where none is stored;
// evidence of another drill is not told as this one's.
func TestNotify(t *testing.T) {
	var bodies []notify.Message
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var m notify.Message
		body, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(body, &m); err != nil {
			t.Error(err)
		}
		bodies = append(bodies, m)
	}))
	defer receiver.Close()
	file, err := os.ReadFile("evidence/testdata/files/valid-failed.json")
	if err != nil {
		t.Fatal(err)
	}
	st, api := memstore.New(), kubetest.Start(t)
	locations := repositorytest.Locations(repositorytest.Stores{"default": st})
	s := &Service{Config: locations.Config(), Kube: api.Client(), Locations: locations, Namespace: "lifeboat"}
	s.Config.Namespace = "velero" // its Secrets are for locations
	api.PutNamespaces("lifeboat")
	api.Put(&corev1.Secret{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}, ObjectMeta: metav1.ObjectMeta{Namespace: "lifeboat", Name: "hook"},
		Data: map[string][]byte{"url": []byte(receiver.URL)},
	})
	st.Set(drills.Key(s.Config.Cluster, 4), file)
	n := definition.Notification{Name: "chat", When: definition.NotifyFailure, Webhook: &definition.Webhook{URLFrom: definition.SecretKey{Name: "hook", Key: "url"}}}
	stored := contract.DrillResult{Name: "bookstore-quarterly", ID: "0e1b7a52", Location: "default", Sequence: 4, Key: drills.Key(s.Config.Cluster, 4)}
	for _, res := range []contract.DrillResult{stored, {ID: "0e1b7a52", Evidence: string(file)}} {
		if err := s.Notify(t.Context(), contract.NotifyDrillInput{Notification: n, Result: res}); err != nil {
			t.Fatal(err)
		}
	}
	if len(bodies) != 2 || bodies[0].Drill != "bookstore-quarterly" || len(bodies[0].Failures) != 9 || bodies[0].Evidence == "" || bodies[1].Evidence != bodies[0].Evidence {
		t.Errorf("%+v", bodies)
	}
	unsigned := contract.NotifyDrillInput{Notification: n, Result: contract.DrillResult{ID: "7", Name: "shop", Asked: time.Unix(9, 0)}, Unsigned: "no good backup of schedule nightly"}
	if err := s.Notify(t.Context(), unsigned); err != nil {
		t.Fatal(err)
	}
	if m := bodies[2]; m.Drill != "shop" || m.ID != "7" || m.Cluster != s.Config.Cluster || m.Verdict != "failed" || m.Evidence != "" || len(m.Failures) != 1 || m.Failures[0] != (notify.Failure{Code: "ABORTED", Detail: unsigned.Unsigned}) {
		t.Errorf("without evidence: %+v", m)
	}
	neither := unsigned
	neither.Notification = definition.Notification{Name: "x"}
	if err := s.Notify(t.Context(), neither); failure.TypeOf(err) != contract.ErrTypeInvalid {
		t.Errorf("told nobody: %v", err)
	}
	bodies = bodies[:2]
	other := stored
	other.ID = "another"
	if err := s.Notify(t.Context(), contract.NotifyDrillInput{Notification: n, Result: other}); failure.TypeOf(err) != contract.ErrTypeInvalid || !strings.Contains(err.Error(), "0e1b7a52") {
		t.Errorf("evidence of another drill: %v", err)
	}
	if err := s.Notify(t.Context(), contract.NotifyDrillInput{Notification: n}); failure.TypeOf(err) != contract.ErrTypeInvalid {
		t.Errorf("no evidence: %v", err)
	}
	if len(bodies) != 2 {
		t.Errorf("%d were told", len(bodies))
	}
}
