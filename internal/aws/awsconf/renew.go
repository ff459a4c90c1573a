package awsconf

import (
	"context"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

const (
	// readAgainAfter is how long credentials of a Secret or a file are used before they are
	// read again: keys are rotated while the worker runs.
	readAgainAfter = 5 * time.Minute
	// readTimeout bounds the reading of a Secret after a refusal.
	readTimeout = 10 * time.Second
	// renewedFor is how long after a change requests are sent again that were refused with the
	// credentials of before.
	renewedFor = time.Minute
)

// renewing reads credentials again, on a period and when they are refused.
type renewing struct {
	*aws.CredentialsCache
	rejected func(error) bool // tells that an answer refuses the credentials

	mu      sync.Mutex
	changed time.Time
}

// renew has the credentials of cfg read again by load, which gives others once the Secret or
// the file was changed, and requests sent again that were refused before that.
func renew(cfg *aws.Config, rejected func(error) bool, load func(context.Context) (aws.Config, error)) {
	r := &renewing{rejected: rejected}
	first := cfg.Credentials
	r.CredentialsCache = aws.NewCredentialsCache(aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
		from := first
		if first = nil; from == nil {
			again, err := load(ctx)
			if err != nil {
				return aws.Credentials{}, err
			}
			from = again.Credentials
		}
		got, err := from.Retrieve(ctx)
		if !got.CanExpire {
			got.CanExpire, got.Expires = true, time.Now().Add(readAgainAfter)
		}
		return got, err
	}))
	cfg.Credentials = r
	if rejected == nil || cfg.Retryer == nil {
		return
	}
	retryer := cfg.Retryer
	cfg.Retryer = func() aws.Retryer { return renewingRetryer{retryer(), r} }
}

// isRenewed reads the credentials again and tells whether they are others than before.
func (r *renewing) isRenewed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.changed) < renewedFor {
		return true // another request has done it
	}
	ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
	defer cancel()
	before, err := r.Retrieve(ctx)
	if err != nil {
		return false
	}
	r.Invalidate()
	now, err := r.Retrieve(ctx)
	if err != nil || now.AccessKeyID == before.AccessKeyID && now.SecretAccessKey == before.SecretAccessKey && now.SessionToken == before.SessionToken {
		return false
	}
	r.changed = time.Now()
	return true
}

// renewingRetryer also sends a request again that was refused with credentials which have
// been replaced since.
type renewingRetryer struct {
	aws.Retryer
	credentials *renewing
}

// IsErrorRetryable implements aws.Retryer.
func (r renewingRetryer) IsErrorRetryable(err error) bool {
	return r.Retryer.IsErrorRetryable(err) || r.credentials.rejected(err) && r.credentials.isRenewed()
}

// Renewing is the retryer now of a client or request in the place of old, which sends a request again
// that was refused with credentials which have been replaced since, as old does.
func Renewing(old, now aws.Retryer) aws.Retryer {
	if r, ok := old.(renewingRetryer); ok {
		return renewingRetryer{now, r.credentials}
	}
	return now
}

// NoRepeats keeps the SDK from repeating requests that are not idempotent. With Renewing, one that was
// refused for old credentials is sent once more: it has done nothing.
type NoRepeats struct{ aws.NopRetryer }

// MaxAttempts implements aws.Retryer.
func (NoRepeats) MaxAttempts() int { return 2 }

// RetryDelay implements aws.Retryer.
func (NoRepeats) RetryDelay(int, error) (time.Duration, error) { return 0, nil }
