package awsconf

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"

	"github.com/lifeboat-backup/lifeboat/internal/lease"
)

// holdToLease keeps back what changes something, at each attempt of a request, once the lease of
// the context's activity has expired.
func holdToLease(cfg *aws.Config) { aroundAttempts(cfg, "lifeboat-lease", checkLease) }

func checkLease(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
	if changes(awsmiddleware.GetServiceID(ctx), awsmiddleware.GetOperationName(ctx)) {
		if err := lease.Check(ctx); err != nil {
			return middleware.FinalizeOutput{}, middleware.Metadata{}, err
		}
	}
	return next.HandleFinalize(ctx, in)
}

// changes tells that an operation changes something. STS only says and lends who somebody is.
func changes(service, operation string) bool {
	reads := func(verb string) bool { return strings.HasPrefix(operation, verb) }
	return service != "STS" && !slices.ContainsFunc([]string{"Get", "Head", "List", "Describe"}, reads)
}
