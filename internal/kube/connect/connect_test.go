package connect_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/connect"
)

// client is one of an API server that answers by h.
func client(t *testing.T, h http.HandlerFunc) *kube.Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	c, err := kube.New(&kube.RESTConfig{Host: server.URL}, kube.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestGet(t *testing.T) {
	var asked string
	c := client(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.RequestURI()
		switch {
		case strings.HasSuffix(r.URL.Path, "/moved"):
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		case strings.HasSuffix(r.URL.Path, "/refused"):
			w.WriteHeader(http.StatusForbidden)
			_, _ = fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","message":"services \"shop\" is forbidden","code":403}`)
		default:
			_, _ = fmt.Fprint(w, "0123456789")
		}
	})
	at := connect.Endpoint{Resource: kube.Services(), Namespace: "n", Name: "shop", Port: "http"}
	got, err := connect.Get(context.Background(), c, at, "/a/b?x=1&y=%20", 4)
	if err != nil || got.Status != 200 || string(got.Body) != "0123" || !got.Cut {
		t.Errorf("got %+v, %v", got, err)
	}
	if asked != "/api/v1/namespaces/n/services/shop:http/proxy/a/b?x=1&y=%20" {
		t.Errorf("asked for %s", asked)
	}
	at.TLS = true
	if got, err := connect.Get(context.Background(), c, at, "/", 10); err != nil || got.Cut || asked != "/api/v1/namespaces/n/services/https:shop:http/proxy/" {
		t.Errorf("https asked for %s: %+v, %v", asked, got, err)
	}
	if got, err := connect.Get(context.Background(), c, at, "/moved", 10); err != nil || got.Status != http.StatusFound {
		t.Errorf("a redirect: %+v, %v", got, err)
	}
	if _, err := connect.Get(context.Background(), c, at, "/refused", 10); !apierrors.IsForbidden(err) {
		t.Errorf("a refusal of the API server: %v", err)
	}
	if log, err := connect.Log(context.Background(), c, "n", "p", "c", 3); err != nil || string(log) != "789" {
		t.Errorf("a log: %q, %v", log, err)
	}
}

// forward plays the kubelet behind port-forward: 1 refuses, 2 greets, 3 accepts and is quiet.
func forward(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		http.Error(w, "no WebSockets here", http.StatusBadRequest)
		return
	}
	if _, err := httpstream.Handshake(r, w, []string{portforward.PortForwardProtocolV1Name}); err != nil {
		return
	}
	connection := spdy.NewResponseUpgrader().UpgradeResponse(w, r, func(s httpstream.Stream, replied <-chan struct{}) error {
		go func() {
			<-replied
			kind, port := s.Headers().Get(corev1.StreamType), s.Headers().Get(corev1.PortHeader)
			switch {
			case kind == corev1.StreamTypeError && port == "1":
				_, _ = fmt.Fprint(s, "dial tcp4 127.0.0.1:1: connect: connection refused")
				_ = s.Close()
			case kind == corev1.StreamTypeData && port == "2":
				_, _ = fmt.Fprint(s, "220 ready")
			}
		}()
		return nil
	})
	if connection != nil {
		<-connection.CloseChan()
	}
}

func TestPort(t *testing.T) {
	c := client(t, forward)
	for port, want := range map[int32]string{1: "connection refused", 2: "", 3: ""} {
		err := connect.Port(context.Background(), c, "n", "p", port)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("port %d: %v", port, err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if err := connect.Port(ctx, c, "n", "p", 3); err == nil {
		t.Error("an end of the context is success")
	}
	refusing := client(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusForbidden) })
	if err := connect.Port(context.Background(), refusing, "n", "p", 2); err == nil {
		t.Error("a refusal is success")
	}
}
