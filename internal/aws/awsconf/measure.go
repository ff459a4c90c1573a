package awsconf

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/lifeboat-backup/lifeboat/internal/telemetry"
)

// measure has each attempt of each request of the clients made of cfg measured, where the
// context asks for it.
func measure(cfg *aws.Config) { aroundAttempts(cfg, "lifeboat-measure", measureAttempt) }

// aroundAttempts has fn stand around each attempt of each request of the clients made of cfg.
func aroundAttempts(cfg *aws.Config, name string, fn func(context.Context, middleware.FinalizeInput, middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error)) {
	cfg.APIOptions = append(cfg.APIOptions, func(stack *middleware.Stack) error {
		if _, sends := stack.Finalize.Get("Retry"); !sends {
			return nil // a URL is signed, and no request made
		}
		return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc(name, fn), "Retry", middleware.After)
	})
}

func measureAttempt(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
	ctx, call := telemetry.BeginCall(ctx, strings.ToLower(awsmiddleware.GetServiceID(ctx)), awsmiddleware.GetOperationName(ctx))
	out, meta, err := next.HandleFinalize(ctx, in)
	status := 0
	if answer, ok := awsmiddleware.GetRawResponse(meta).(*smithyhttp.Response); ok && answer != nil && answer.Response != nil {
		status = answer.StatusCode
	}
	call.End(ctx, status, resultOf(status, err))
	return out, meta, err
}

// resultOf is what became of an attempt. That there is no such object is an answer.
func resultOf(status int, err error) string {
	var answer *smithyhttp.ResponseError
	switch {
	case err == nil, status == http.StatusNotFound, status == http.StatusNotModified, status == http.StatusPreconditionFailed:
		return telemetry.ResultOK
	case retry.IsErrorThrottles(retry.DefaultThrottles).IsErrorThrottle(err).Bool(), status == http.StatusTooManyRequests:
		return telemetry.ResultThrottled
	case errors.As(err, &answer), status != 0:
		return telemetry.ResultRefused
	}
	return telemetry.ResultLost
}
