package kube

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

const (
	backoffFirst = 50 * time.Millisecond
	backoffMax   = 5 * time.Second
	// webhookTries bounds tries after a 500 that names a webhook: its server may come up in
	// minutes or never, which is for callers to wait for. Other 500s are tried as long as
	// what else may pass: etcd, for one, has no leader for seconds.
	webhookTries = 3
	// maxAskedWait bounds a wait for which the server sheds load, beyond the time of a call.
	maxAskedWait = time.Minute
)

// retry decides about further tries of one call.
type retry struct {
	deadline time.Time
	wait     time.Duration
	webhook  int
	relogin  bool
}

func newRetry(forTime time.Duration) *retry {
	return &retry{deadline: time.Now().Add(forTime), wait: backoffFirst}
}

// nextWait says whether another try is due after err, and when.
func (r *retry) nextWait(err error) (time.Duration, bool) {
	after, ok := r.retryDelay(err)
	if !ok {
		return 0, false
	}
	wait := r.wait/2 + rand.N(r.wait)
	r.wait = min(2*r.wait, backoffMax)
	wait = max(wait, after)
	end := time.Now()
	if end.Before(r.deadline) && apierrors.IsTooManyRequests(err) && after <= maxAskedWait {
		return wait, true // the last try is the one that the server asked for
	}
	return wait, end.Add(wait).Before(r.deadline)
}

// retryDelay says whether err may pass, and the wait that the server asked for.
func (r *retry) retryDelay(err error) (time.Duration, bool) {
	var gone *lostError
	if errors.As(err, &gone) {
		return 0, true
	}
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return 0, false
	}
	seconds, asked := apierrors.SuggestsClientDelay(err)
	after := time.Duration(seconds) * time.Second
	switch code := status.Status().Code; {
	case code == http.StatusTooManyRequests:
		return after, true
	case code == http.StatusUnauthorized:
		// A refused credential is renewed by client-go for the next request.
		again := !r.relogin
		r.relogin = true
		return 0, again
	case code == http.StatusInternalServerError && !asked && UnansweredWebhook(err) != "":
		r.webhook++
		return 0, r.webhook < webhookTries
	default:
		return after, code >= http.StatusInternalServerError && !isTaken(err)
	}
}
