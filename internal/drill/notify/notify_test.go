package notify_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lifeboat-backup/lifeboat/internal/drill/definition"
	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
	"github.com/lifeboat-backup/lifeboat/internal/drill/notify"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/golden"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
)

// token is in the path of the webhook, as Slack has it.
const token = "T000-B000-verysecret"

func message(verdict evidence.Verdict) notify.Message {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	p := evidence.Predicate{
		Drill:     evidence.Drill{ID: "drill-1", Name: "bookstore", Asked: evidence.MomentOf(at), Finished: evidence.MomentOf(at.Add(time.Hour))},
		Source:    evidence.Source{Cluster: evidence.Cluster{Name: "prod"}, Backup: evidence.Backup{Name: "nightly-1"}},
		Claim:     evidence.Claim{Level: evidence.L5, Verdict: verdict},
		Objective: evidence.Objective{Level: evidence.L5},
		Measured:  evidence.Measured{RTO: &evidence.RTO{Proven: 90_000}, RPO: evidence.RPO{Age: 3_600_000}},
	}
	if verdict == evidence.Failed {
		p.Claim.Level = evidence.L4
		p.Claim.Failures = []evidence.Failure{{Code: evidence.AssertionFailed, Detail: "orders: 999 & not <1000>"}}
	}
	return notify.MessageOf(&p, evidence.DigestOf(nil))
}

func webhook(form definition.WebhookForm) definition.Notification {
	return definition.Notification{Name: "chat", Webhook: &definition.Webhook{URLFrom: definition.SecretKey{Name: "hook", Key: "url"}, Form: form}}
}

// sender reads the URL of a receiver out of a Secret.
func sender(t *testing.T, url string) (*kubetest.Server, *notify.Sender) {
	s := kubetest.Start(t, kubetest.WithTypes(kubetest.Type{Resource: kube.Events()}))
	s.PutNamespaces("lifeboat", "shop")
	s.Put(&corev1.Secret{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}, ObjectMeta: metav1.ObjectMeta{Namespace: "lifeboat", Name: "hook"},
		Data: map[string][]byte{"url": []byte(url + "\n"), "bad": []byte("ftp://x/" + token)},
	})
	return s, &notify.Sender{Kube: s.Client(), Namespace: "lifeboat"}
}

// TestForms holds the bodies of each form, of a drill that passed and one that failed.
func TestForms(t *testing.T) {
	var bodies []json.RawMessage
	keys := map[string]int{}
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies = append(bodies, body)
		keys[r.Header.Get("Idempotency-Key")]++
	}))
	defer receiver.Close()
	_, s := sender(t, receiver.URL+"/"+token)
	for _, form := range []definition.WebhookForm{"", definition.FormJSON, definition.FormAlertmanager, definition.FormSlack} {
		for _, verdict := range []evidence.Verdict{evidence.Passed, evidence.Failed} {
			if err := s.Send(t.Context(), webhook(form), message(verdict)); err != nil {
				t.Fatal(err)
			}
		}
	}
	golden.CompareJSON(t, "testdata/forms.golden.json", "the bodies of each form", bodies)
	if len(keys) != 1 || keys[""] > 0 {
		t.Errorf("one notification of one drill has the keys %v", keys)
	}
}

// TestLongest: however much there is to say, and whatever of it has to be escaped, the text stays below what
// Slack asks for, and ends with no half of an escape.
func TestLongest(t *testing.T) {
	var text string
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var body struct{ Text string }
		d := json.NewDecoder(r.Body)
		d.DisallowUnknownFields()
		if err := d.Decode(&body); err != nil {
			t.Error(err)
		}
		text = body.Text
	}))
	defer receiver.Close()
	_, s := sender(t, receiver.URL)
	for shift := range 5 {
		m := message(evidence.Failed)
		for range 20 {
			m.Failures = append(m.Failures, notify.Failure{Code: "LEVEL_MISSED", Detail: strings.Repeat("x", shift) + strings.Repeat("&", 300)})
		}
		if err := s.Send(t.Context(), webhook(definition.FormSlack), m); err != nil {
			t.Fatal(err)
		}
		if rest := strings.ReplaceAll(text, "&amp;", ""); len(text) < 2900 || len(text) > 4000 || strings.ContainsAny(strings.NewReplacer("&lt;", "", "&gt;", "").Replace(rest), "&<>") {
			t.Errorf("%d bytes, which end with %q", len(text), text[len(text)-20:])
		}
	}
}

// TestRefusals tells final answers from those that pass, and quotes the URL in none.
func TestRefusals(t *testing.T) {
	code := 0
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "/elsewhere")
		http.Error(w, "invalid_token "+token, code)
	}))
	_, s := sender(t, receiver.URL+"/"+token)
	check := func(what string, n definition.Notification, final bool) {
		t.Helper()
		err := s.Send(t.Context(), n, message(evidence.Failed))
		if err == nil || (failure.TypeOf(err) != "") != final {
			t.Errorf("%s: %v, final is %t", what, err, final)
		}
		if err != nil && (strings.Contains(err.Error(), token) || strings.Contains(err.Error(), receiver.URL)) {
			t.Errorf("%s: the error quotes the URL: %v", what, err)
		}
	}
	for status, final := range map[int]bool{302: true, 400: true, 403: true, 404: true, 408: false, 429: false, 500: false, 503: false} {
		code = status
		check(http.StatusText(status), webhook(""), final)
	}
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	defer secure.Close()
	_, over := sender(t, secure.URL+"/"+token)
	if err := over.Send(t.Context(), webhook(""), message(evidence.Failed)); err == nil || !strings.Contains(err.Error(), "not trusted") || strings.Contains(err.Error(), token) {
		t.Errorf("a certificate that nobody trusts: %v", err)
	}
	receiver.Close()
	check("nobody listens", webhook(""), false)
	bad := webhook("")
	bad.Webhook.URLFrom.Key = "bad"
	check("no URL", bad, true)
	bad.Webhook.URLFrom.Key = "gone"
	check("no key", bad, true)
}

func TestEvent(t *testing.T) {
	api, s := sender(t, "https://example.invalid/")
	n := definition.Notification{Name: "event", Event: &definition.EventTarget{Namespace: "shop"}}
	for range 2 {
		if err := s.Send(t.Context(), n, message(evidence.Failed)); err != nil {
			t.Fatal(err)
		}
	}
	events := kubetest.All[corev1.Event](api, kube.Events())
	if len(events) != 1 || events[0].Type != corev1.EventTypeWarning || events[0].Reason != "DrillFailed" || !strings.Contains(events[0].Message, "999") {
		t.Errorf("events: %+v", events)
	}
	n.Event.Namespace = "gone"
	if err := s.Send(t.Context(), n, message(evidence.Failed)); failure.TypeOf(err) == "" {
		t.Errorf("a namespace that is not there: %v", err)
	}
	n.When = definition.NotifyFailure
	if err := s.Send(t.Context(), n, message(evidence.Passed)); err != nil {
		t.Errorf("a message that nobody asked for: %v", err)
	}
}
