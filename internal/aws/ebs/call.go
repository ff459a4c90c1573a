package ebs

import (
	"context"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/lifeboat-backup/lifeboat/internal/aws/awserr"
)

// call makes one request when the action's turn has come, and makes it again for
// as long as EC2 answers that there were too many, until ctx ends.
func call[T any](ctx context.Context, l *Location, action, id string, do func(context.Context) (T, error)) (T, error) {
	for {
		if err := l.lane.take(ctx, action, 1); err != nil {
			var none T
			return none, classify(action, id, err)
		}
		out, err := do(ctx)
		l.lane.told(action, err)
		if !isThrottle(awserr.Code(err)) {
			return out, classify(action, id, err)
		}
	}
}

// once keeps the SDK from repeating a request that is not idempotent.
func once(o *ec2.Options) { o.Retryer = aws.NopRetryer{} }

// sleep waits for d or for the end of ctx, whose error it returns.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

// maxFilterValues is what EC2 takes in one filter.
const maxFilterValues = 200

func filter(name string, values ...string) types.Filter {
	return types.Filter{Name: aws.String(name), Values: values}
}

// escape keeps a value's own * and ? from being wildcards.
func escape(value string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`).Replace(value)
}
