package chaos

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
)

func newTestProxy(t *testing.T, h http.HandlerFunc) (*Proxy, string) {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	p, err := NewProxy("s3", server.URL, func(r *http.Request) string { return r.Method + " " + r.URL.Path }, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p, "http://" + p.addr
}

func TestProxyKeepsHostAndNumbersCalls(t *testing.T) {
	var host string
	p, url := newTestProxy(t, func(w http.ResponseWriter, r *http.Request) {
		host = r.Host
		if strings.HasSuffix(r.URL.Path, "/none") {
			w.WriteHeader(http.StatusNotFound)
		}
	})
	for _, path := range []string{"/a", "/a", "/none"} {
		resp, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	}
	if "http://"+host != url {
		t.Errorf("the server saw host %s, signed was %s", host, url)
	}
	var got []Call
	for _, c := range p.Calls() {
		got = append(got, Call{Side: c.Side, Sig: c.Sig, Nth: c.Nth, Status: c.Status})
	}
	want := []Call{
		{Side: "s3", Sig: "GET /a", Nth: 1, Status: 200},
		{Side: "s3", Sig: "GET /a", Nth: 2, Status: 200},
		{Side: "s3", Sig: "GET /none", Nth: 1, Status: 404},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("calls %v, want %v", got, want)
	}
}

func TestProxyHooks(t *testing.T) {
	served := 0
	p, url := newTestProxy(t, func(w http.ResponseWriter, _ *http.Request) {
		served++
		_, _ = io.WriteString(w, "from the server")
	})
	tests := []struct {
		name   string
		moment Moment
		answer Answer
		served int
		body   string // "" is a lost connection
	}{
		{"lost before", Before, Answer{}, 0, ""},
		{"lost after", After, Answer{}, 1, ""},
		{"answered in its place", Before, Answer{Status: 503, Header: http.Header{"Retry-After": {"1"}}, Body: "slow down"}, 0, "slow down"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			served = 0
			p.Reset(func(_ Call, m Moment) *Answer {
				if m == tt.moment {
					return &tt.answer
				}
				return nil
			})
			resp, err := http.Post(url, "", strings.NewReader("x")) // a POST is not sent again by net/http
			body := ""
			if err == nil {
				raw, _ := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				body = string(raw)
			}
			if body != tt.body || served != tt.served {
				t.Errorf("body %q (%v), served %d times; want %q, %d", body, err, served, tt.body, tt.served)
			}
		})
	}
}

// TestProxyNoticesGivingUp: a request whose client has gone while it was held is not
// sent on, whatever its size.
func TestProxyNoticesGivingUp(t *testing.T) {
	served := make(chan bool, 1)
	p, url := newTestProxy(t, func(http.ResponseWriter, *http.Request) { served <- true })
	ctx, giveUp := context.WithCancel(t.Context())
	over := make(chan bool)
	p.Reset(func(c Call, m Moment) *Answer {
		if m == Before {
			giveUp()
			<-c.Gone
			defer close(over)
		}
		return nil
	})
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, url, strings.NewReader(strings.Repeat("x", 100_000)))
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := http.DefaultClient.Do(req); err == nil {
		_ = resp.Body.Close()
		t.Error("a request that was given up has an answer")
	}
	<-over
	if err := p.server.Shutdown(t.Context()); err != nil { // waits for what is still at work
		t.Error(err)
	}
	select {
	case <-served:
		t.Error("the request was sent on")
	default:
	}
}
