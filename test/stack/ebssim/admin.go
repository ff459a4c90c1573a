package ebssim

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"time"
)

// serveAdmin is the admin API. README.md describes it. Health is for everybody.
func (s *Sim) serveAdmin(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/_sim/health" {
		return
	}
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if s.options.AdminToken == "" || subtle.ConstantTimeCompare([]byte(token), []byte(s.options.AdminToken)) != 1 {
		http.Error(w, "the admin API needs its bearer token", http.StatusUnauthorized)
		return
	}
	mux := http.NewServeMux()
	mux.Handle("GET /_sim/state", get(func(*http.Request) (any, error) { return s.State(), nil }))
	mux.Handle("GET /_sim/volumes/{id}", get(s.adminVolume))
	mux.Handle("GET /_sim/audit", get(s.adminAudit))
	mux.Handle("DELETE /_sim/audit", get(func(*http.Request) (any, error) { s.ClearAudit(); return nil, nil }))
	mux.Handle("GET /_sim/faults", get(func(*http.Request) (any, error) { return s.Faults(), nil }))
	mux.Handle("POST /_sim/faults", post(s.AddFault))
	mux.Handle("DELETE /_sim/faults", get(func(*http.Request) (any, error) { s.RemoveFault(""); return nil, nil }))
	mux.Handle("DELETE /_sim/faults/{id}", get(s.adminRemoveFault))
	mux.Handle("GET /_sim/limits", get(func(*http.Request) (any, error) { return s.Limits(), nil }))
	mux.Handle("POST /_sim/limits", get(s.adminLimits))
	mux.Handle("POST /_sim/instances", post(func(i Instance) (any, error) { return nil, s.AddInstance(i) }))
	mux.Handle("DELETE /_sim/instances/{id}", get(func(r *http.Request) (any, error) {
		return nil, s.RemoveInstance(r.PathValue("id"))
	}))
	mux.Handle("POST /_sim/users", post(func(u User) (any, error) { return nil, s.AddUser(u) }))
	mux.Handle("POST /_sim/roles", post(func(r Role) (any, error) { return nil, s.AddRole(r) }))
	mux.Handle("POST /_sim/associations", post(func(a Association) (any, error) { return nil, s.AddAssociation(a) }))
	mux.Handle("POST /_sim/issuers", post(func(i Issuer) (any, error) { return nil, s.AddIssuer(i) }))
	mux.Handle("POST /_sim/snapshots/{id}", get(s.adminSnapshot))
	mux.Handle("DELETE /_sim/volumes/{id}", get(func(r *http.Request) (any, error) {
		return nil, s.DestroyVolume(r.PathValue("id"))
	}))
	mux.Handle("POST /_sim/recyclebin", post(func(rules []RetentionRule) (any, error) { s.SetRecycleBin(rules); return nil, nil }))
	mux.Handle("POST /_sim/keys", post(func(keys []string) (any, error) { s.SetKeys(keys); return nil, nil }))
	mux.Handle("POST /_sim/clock", post(s.adminClock))
	mux.ServeHTTP(w, r)
}

// get answers with what a function returns, as JSON. What is not there is 404.
func get(do func(*http.Request) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		value, err := do(r)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			http.Error(w, err.Error(), http.StatusNotFound)
		case err != nil:
			http.Error(w, err.Error(), http.StatusBadRequest)
		default:
			w.Header().Set("Content-Type", "application/json")
			json.NewEncoder(w).Encode(value)
		}
	})
}

func post[In, Out any](do func(In) (Out, error)) http.Handler {
	return get(func(r *http.Request) (any, error) {
		var in In
		if err := readJSON(r, &in); err != nil {
			return nil, err
		}
		return do(in)
	})
}

func readJSON(r *http.Request, into any) error {
	decoder := json.NewDecoder(io.LimitReader(r.Body, maxBody))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("request body: %w", err)
	}
	return nil
}

func (s *Sim) adminVolume(r *http.Request) (any, error) {
	for _, v := range s.State().Volumes {
		if v.ID == r.PathValue("id") {
			return v, nil
		}
	}
	return nil, fmt.Errorf("volume %s: %w", r.PathValue("id"), fs.ErrNotExist)
}

// adminAudit takes ?action= and ?since=, an RFC 3339 time.
func (s *Sim) adminAudit(r *http.Request) (any, error) {
	var since time.Time
	if text := r.URL.Query().Get("since"); text != "" {
		var err error
		if since, err = time.Parse(time.RFC3339Nano, text); err != nil {
			return nil, fmt.Errorf("since: %w", err)
		}
	}
	action, out := r.URL.Query().Get("action"), []Call{}
	for _, call := range s.Audit() {
		if (action == "" || call.Action == action) && !call.Time.Before(since) {
			out = append(out, call)
		}
	}
	return out, nil
}

func (s *Sim) adminRemoveFault(r *http.Request) (any, error) {
	if !s.RemoveFault(r.PathValue("id")) {
		return nil, fmt.Errorf("fault %s: %w", r.PathValue("id"), fs.ErrNotExist)
	}
	return nil, nil
}

// adminLimits changes only the fields that the body has.
func (s *Sim) adminLimits(r *http.Request) (any, error) {
	next := s.Limits()
	if err := readJSON(r, &next); err != nil {
		return nil, err
	}
	s.SetLimits(func(l *Limits) { *l = next })
	return next, nil
}

func (s *Sim) adminSnapshot(r *http.Request) (any, error) {
	var in struct {
		State    string `json:"state"`
		ID       string `json:"id"` // another one, and the volume that it is of
		VolumeID string `json:"volumeID"`
	}
	if err := readJSON(r, &in); err != nil {
		return nil, err
	}
	if in.ID != "" {
		return nil, s.RenameSnapshot(r.PathValue("id"), in.ID, in.VolumeID)
	}
	return nil, s.MoveSnapshot(r.PathValue("id"), in.State)
}

func (s *Sim) adminClock(in struct {
	Advance Duration `json:"advance"`
},
) (any, error) {
	manual, ok := s.clock.(*ManualClock)
	if !ok {
		return nil, errors.New("clock: this simulator goes by the real one")
	}
	manual.Advance(in.Advance.D())
	return nil, nil
}
