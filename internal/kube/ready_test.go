package kube

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// TestRefusalsOfAStartingServer: an API server that starts refuses, for moments, what the
// roles allow.
func TestRefusalsOfAStartingServer(t *testing.T) {
	t.Parallel()
	const rbac = `configmaps is forbidden: User "u" cannot list resource "configmaps"`
	tests := []struct {
		name     string
		code     int
		refusals int // of the request, before it is served
		notReady int // answers of /readyz that say so
		write    bool
		message  string
		wantErr  func(error) bool
	}{
		{"not ready, then allowed", 403, 1, 1, false, rbac, nil},
		{"not ready for longer", 403, 1, 3, false, rbac, nil},
		{"ready a moment before its roles", 403, 1, 0, false, rbac, nil},
		{"the same for who we are", 401, 2, 1, false, "Unauthorized", nil},
		{"a write", 403, 1, 1, true, rbac, nil},
		{"allowed to nobody", 403, 99, 0, false, rbac, IsForbidden},
		{"unknown for good", 401, 99, 0, false, "Unauthorized", IsUnauthorized},
		{"never ready", 403, 99, 99, false, rbac, IsUnavailable},
		{"refused by admission", 403, 1, 0, true, `configmaps "a" is forbidden: exceeded quota: q`, IsForbidden},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				asked, looked := 0, 0
				c := serve(t, func(w http.ResponseWriter, r *http.Request) {
					switch {
					case r.URL.Path == readyPath:
						if looked++; looked <= tt.notReady {
							writeStatus(w, 503, "", "not yet", "")
						}
					default:
						if asked++; asked <= tt.refusals {
							writeStatus(w, tt.code, map[int]string{401: "Unauthorized", 403: "Forbidden"}[tt.code], tt.message, "")
							return
						}
						fmt.Fprint(w, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}`)
					}
				})
				c.opts.RetryFor = 3 * time.Second
				var err error
				if tt.write {
					_, err = c.Create(context.Background(), configMaps(), "n", []byte(`{"metadata":{"name":"a"}}`), CreateOptions{})
				} else {
					_, err = c.Get(context.Background(), configMaps(), "n", "a")
				}
				if tt.wantErr == nil && err != nil || tt.wantErr != nil && !tt.wantErr(err) {
					t.Errorf("%v after %d requests and %d looks", err, asked, looked)
				}
				if tt.wantErr != nil && IsUnavailable(err) && (IsForbidden(err) || IsUnauthorized(err)) {
					t.Errorf("%v is taken for a refusal", err)
				}
			})
		})
	}
}

// TestRefusalsThatStandCostOnePause: a role that lacks a permission is refused a thousand times.
func TestRefusalsThatStandCostOnePause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		looked := 0
		c := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == readyPath {
				looked++
				return
			}
			writeStatus(w, 403, "Forbidden", "no", "")
		})
		began := time.Now()
		for range 50 {
			if _, err := c.Get(context.Background(), configMaps(), "n", "a"); !IsForbidden(err) {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took > 3*refusalPause || looked != 1 {
			t.Errorf("50 refusals took %s and %d looks", took, looked)
		}
	})
}
