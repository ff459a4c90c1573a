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
	// internalTries bounds tries after a 500: it may be a passing fault of etcd
	// or an admission webhook that will never answer, which nothing tells apart.
	internalTries = 3
)

// retry decides about further tries of one call.
type retry struct {
	deadline time.Time
	wait     time.Duration
	internal int
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
	return wait, time.Now().Add(wait).Before(r.deadline)
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
	case code == http.StatusInternalServerError && !asked:
		r.internal++
		return 0, r.internal < internalTries
	default:
		return after, code >= http.StatusInternalServerError
	}
}
