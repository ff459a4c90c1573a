package kube

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func crdBody(name, established, accepted string) string {
	return fmt.Sprintf(`{"metadata":{"name":%q},"status":{"conditions":[{"type":"NamesAccepted","status":%q,"reason":"R","message":"kind is taken"},{"type":"Established","status":%q,"reason":"Installing","message":"wait"}]}}`, name, accepted, established)
}

func TestWaitEstablished(t *testing.T) {
	polls := 0
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		polls++
		ready := map[bool]string{true: "True", false: "False"}
		fmt.Fprintf(w, `{"items":[%s,%s,%s]}`, crdBody("a.x", ready[polls > 1], "True"), crdBody("other.x", "False", "False"), crdBody("b.x", ready[polls > 2], "True"))
	})
	if err := c.WaitEstablished(context.Background(), []string{"a.x", "b.x"}); err != nil || polls != 3 {
		t.Errorf("%v after %d polls, want 3", err, polls)
	}
	if err := c.WaitEstablished(context.Background(), nil); err != nil || polls != 3 {
		t.Errorf("nothing to wait for: %v, %d polls", err, polls)
	}
}

func TestWaitEstablishedNamesThePending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"items":[%s,%s]}`, crdBody("a.x", "False", "True"), crdBody("b.x", "False", "False"))
		})
		ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		defer cancel()
		err := c.WaitEstablished(ctx, []string{"a.x", "b.x", "c.x"})
		if !errors.Is(err, ErrNotEstablished) || !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("error %v", err)
		}
		for _, want := range []string{"a.x (Installing: wait)", "b.x (R: kind is taken)", "c.x (not found)"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q does not say %q", err, want)
			}
		}
	})
}

// TestAwaitEstablishedGivesUpOnTheStuck: as long as one more becomes Established now
// and then, the others are waited for; then they are named.
func TestAwaitEstablishedGivesUpOnTheStuck(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const patience = 400 * time.Millisecond
		start := time.Now()
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			ready := map[bool]string{true: "True", false: "False"}
			slow, slower := time.Since(start) > patience/2, time.Since(start) > patience*5/4
			fmt.Fprintf(w, `{"items":[%s,%s,%s]}`, crdBody("slow.x", ready[slow], "True"), crdBody("slower.x", ready[slower], "True"), crdBody("stuck.x", "False", "False"))
		})
		pending, err := c.AwaitEstablished(t.Context(), []string{"slow.x", "slower.x", "stuck.x", "gone.x"}, patience)
		if want := map[string]string{"stuck.x": "R: kind is taken", "gone.x": "not found"}; err != nil || !maps.Equal(pending, want) {
			t.Errorf("%v, %v; want %v", pending, err, want)
		}
		if pending, err = c.AwaitEstablished(t.Context(), nil, patience); err != nil || len(pending) > 0 {
			t.Errorf("nothing to wait for: %v, %v", pending, err)
		}
	})
}

func TestConfig(t *testing.T) {
	if _, err := Config("", "prod"); err == nil || !strings.Contains(err.Error(), "kubeconfig") {
		t.Errorf("a context without a file: %v", err)
	}
	if _, err := Config("/nowhere/kubeconfig", ""); err == nil || !strings.Contains(err.Error(), "/nowhere/kubeconfig") {
		t.Errorf("a missing file: %v", err)
	}
}
