package ebssim

import (
	"io"
	"maps"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/internal/wire"
)

const (
	ec2Version = "2016-11-15"
	stsVersion = "2011-06-15"
	maxBody    = 1 << 20 // EC2 refuses larger requests too
)

// call is one request on its way through the simulator.
type call struct {
	id     string
	action string
	sts    bool
	direct bool // of the EBS direct APIs
	kms    bool
	pod    bool // of the agent of EKS Pod Identity
	params wire.Params
	// snapshot is the one that a call of the EBS direct APIs is about.
	snapshot string
	who      *identity
	now      time.Time
	number   int // of all calls, from 1
	steady   bool
	denied   string
}

// action answers a call, under the lock.
type action func(*Sim, *call) (any, error)

// ServeHTTP answers the admin API below /_sim/ and AWS's protocols elsewhere.
func (s *Sim) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/_sim/") {
		s.serveAdmin(w, r)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "request too large or cut off", http.StatusBadRequest)
		return
	}
	c := newCall(r, body)
	began := time.Now()
	effects := s.effects(c)
	if !waitFor(r, effects.delay) || effects.dropBefore {
		s.record(c, began, "dropped before")
		drop(w)
		return
	}
	time.Sleep(effects.late)
	answer, err := s.answer(c, r, body, effects)
	if effects.dropAfter {
		s.record(c, began, "dropped after "+outcome(err))
		drop(w)
		return
	}
	s.record(c, began, outcome(err))
	write(w, c, answer, err)
}

func newCall(r *http.Request, body []byte) *call {
	values := r.URL.Query()
	if form, err := url.ParseQuery(string(body)); err == nil {
		maps.Copy(values, form)
	}
	c := &call{id: requestID(), params: wire.Params(values), action: values.Get("Action")}
	c.sts = values.Get("Version") == stsVersion
	if action, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), kmsTarget); ok {
		c.action, c.kms, c.params = action, true, kmsParams(body)
	}
	if r.Method == http.MethodGet && r.URL.Path == podPath {
		c.action, c.pod = "AssumeRoleForPodIdentity", true
	}
	if action, snapshot, ok := directAction(r); ok {
		c.action, c.snapshot, c.direct = action, snapshot, true
		c.params["blockIndex"] = []string{path.Base(r.URL.Path)} // of GetSnapshotBlock only
	}
	return c
}

// answer is the whole of a call: who is it, may they, do it.
func (s *Sim) answer(c *call, r *http.Request, body []byte, f effects) (any, error) {
	if c.action == "AssumeRoleWithWebIdentity" && c.sts {
		if f.err != nil {
			return nil, f.err
		}
		return s.assumeRole(r.Context(), c)
	}
	if c.pod {
		if f.err != nil {
			return nil, f.err
		}
		return s.podCredentials(r.Context(), c, r.Header.Get("Authorization"))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	c.now, c.number, c.steady = s.clock.Now(), s.calls, s.limits.Steady
	if err := s.authenticate(c, r, body); err != nil {
		return nil, err
	}
	do, err := lookUp(c)
	if err != nil {
		return nil, err
	}
	if f.err != nil {
		return nil, f.err
	}
	if err := s.take(c); err != nil {
		return nil, err
	}
	if err := s.sweep(c.now); err != nil {
		return nil, err
	}
	return do(s, c)
}

func lookUp(c *call) (action, error) {
	if c.kms {
		return lookUpKMS(c)
	}
	if c.direct {
		return directActions()[c.action], nil
	}
	if c.sts {
		switch c.action {
		case "GetCallerIdentity":
			return (*Sim).getCallerIdentity, nil
		case "AssumeRole":
			return (*Sim).assumeSigned, nil
		}
		return nil, wire.Invalid("InvalidAction", "Could not find operation %s for version %s", c.action, stsVersion)
	}
	if version := c.params.Get("Version"); version != ec2Version {
		return nil, wire.Invalid("NoSuchVersion", "The requested version '%s' does not exist", version)
	}
	do, ok := actions()[c.action]
	if !ok {
		return nil, wire.Invalid("InvalidAction", "The action %s is not valid for this web service.", c.action)
	}
	return do, nil
}

func actions() map[string]action {
	return map[string]action{
		"DescribeVolumes":               (*Sim).describeVolumes,
		"DescribeSnapshots":             (*Sim).describeSnapshots,
		"DescribeInstances":             (*Sim).describeInstances,
		"DescribeAvailabilityZones":     (*Sim).describeZones,
		"DescribeTags":                  (*Sim).describeTags,
		"DescribeVolumesModifications":  (*Sim).describeModifications,
		"DescribeLockedSnapshots":       (*Sim).describeLocked,
		"ListSnapshotsInRecycleBin":     (*Sim).listRecycleBin,
		"CreateVolume":                  (*Sim).createVolume,
		"DeleteVolume":                  (*Sim).deleteVolume,
		"ModifyVolume":                  (*Sim).modifyVolume,
		"AttachVolume":                  (*Sim).attachVolume,
		"DetachVolume":                  (*Sim).detachVolume,
		"CreateSnapshot":                (*Sim).createSnapshot,
		"CreateSnapshots":               (*Sim).createSnapshots,
		"CopySnapshot":                  (*Sim).copySnapshot,
		"DeleteSnapshot":                (*Sim).deleteSnapshot,
		"LockSnapshot":                  (*Sim).lockSnapshot,
		"UnlockSnapshot":                (*Sim).unlockSnapshot,
		"RestoreSnapshotFromRecycleBin": (*Sim).restoreSnapshot,
		"CreateTags":                    (*Sim).createTags,
		"DeleteTags":                    (*Sim).deleteTags,
	}
}

func write(w http.ResponseWriter, c *call, answer any, failure error) {
	if c.pod {
		writePod(w, answer, failure)
		return
	}
	if c.direct || c.kms {
		writeDirect(w, c, answer, failure)
		return
	}
	status, text, err := http.StatusOK, []byte(nil), error(nil)
	switch {
	case failure != nil:
		known := wire.AsError(failure)
		status = known.Status
		text, err = errorText(c, known)
	case c.sts:
		text, err = wire.STSResponse(c.action, c.id, answer)
	default:
		text, err = wire.EC2Response(c.action, c.id, answer)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/xml;charset=UTF-8")
	w.Header().Set("X-Amzn-Requestid", c.id)
	w.WriteHeader(status)
	w.Write(text)
}

func errorText(c *call, e *wire.Error) ([]byte, error) {
	if c.sts {
		return wire.STSError(e, c.id)
	}
	return wire.EC2Error(e, c.id)
}

func outcome(err error) string {
	if err == nil {
		return "OK"
	}
	return wire.AsError(err).Code
}

// drop closes the connection without an answer.
func drop(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, "cannot drop this connection: "+err.Error(), http.StatusInternalServerError)
		return
	}
	conn.Close()
}

// waitFor waits and says if the client is still there.
func waitFor(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	select {
	case <-time.After(d):
		return true
	case <-r.Context().Done():
		return false
	}
}
