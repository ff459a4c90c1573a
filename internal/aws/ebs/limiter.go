package ebs

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/lifeboat-backup/lifeboat/internal/aws/awsconf"
	"github.com/lifeboat-backup/lifeboat/internal/aws/awserr"
	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs/quota"
)

// addLimiter puts the account's limiter before the SDK's retries, so that every request
// of this location waits until it may be made.
func (l *Location) addLimiter(o *ec2.Options) {
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("AccountLimiter", l.limitRequest), "Retry", middleware.Before)
	})
}

// limitRequest makes a request when it may be made, and makes it again for as long as
// EC2 answers that there were too many, until ctx ends. Requests for snapshots pass:
// they are paid for by a reservation.
func (l *Location) limitRequest(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
	action := middleware.GetOperationName(ctx)
	if action == quota.CreateSnapshot || action == quota.CreateSnapshots {
		return next.HandleFinalize(ctx, in)
	}
	for {
		if err := l.quota.TakeRequest(ctx, action); err != nil {
			return middleware.FinalizeOutput{}, middleware.Metadata{}, err
		}
		out, metadata, err := next.HandleFinalize(ctx, in)
		l.learnAnswer(action, err)
		if !isThrottle(awserr.Code(err)) {
			return out, metadata, err
		}
		if err := in.Request.(*smithyhttp.Request).RewindStream(); err != nil {
			return out, metadata, fmt.Errorf("send the request again: %w", err)
		}
	}
}

// learnAnswer tells the limiter what came of a request.
func (l *Location) learnAnswer(action string, err error) {
	switch {
	case err == nil:
		l.quota.RequestPassed(action)
	case isThrottle(awserr.Code(err)):
		l.quota.RequestThrottled(action)
	}
}

// withoutRetries keeps the SDK from repeating a request that is not idempotent.
func withoutRetries(o *ec2.Options) { o.Retryer = awsconf.Renewing(o.Retryer, awsconf.NoRepeats{}) }
