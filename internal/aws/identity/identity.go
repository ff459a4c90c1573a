// Package identity tells who the worker is in AWS, and whether that is who it should be: a worker
// that has come by the node's role or by somebody's keys may do too little, or far too much.
package identity

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/lifeboat-backup/lifeboat/internal/aws/awsconf"
)

// ErrAnother: AWS was asked, and the worker is somebody else than it should be.
var ErrAnother = errors.New("another identity in AWS than expected")

var roleARN = regexp.MustCompile(`^arn:(aws[a-z-]*):iam::(\d{12}):role/(?:[\w+=,.@/-]*/)?([\w+=,.@-]{1,64})$`)

// IsRole tells whether text is the ARN of a role.
func IsRole(text string) bool { return roleARN.MatchString(text) }

// Expected is the role that the worker should have: the configured one, or the one that EKS
// names to pods whose ServiceAccount is annotated with it (IRSA). "" is none in particular.
func Expected(configured, annotated string) string {
	if configured != "" {
		return configured
	}
	return annotated
}

// Check asks STS who the worker is by the SDK's default chain, and gives the ARN. The error is
// ErrAnother if that is not the role expected; any other one says that STS could not tell.
func Check(ctx context.Context, expected string) (arn string, err error) {
	cfg, err := awsconf.Load(ctx, awsconf.Source{})
	if err != nil {
		return "", err
	}
	if cfg.Region == "" {
		cfg.Region = "us-east-1" // STS knows every identity of the partition there
	}
	out, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", fmt.Errorf("ask AWS who the worker is: %w", err)
	}
	arn = aws.ToString(out.Arn)
	if sessionARN(expected) == arn[:strings.LastIndex(arn, "/")+1] {
		return arn, nil
	}
	return arn, fmt.Errorf("%w: the worker is %s, and not %s: %s", ErrAnother, arn, expected, causeOf(arn))
}

// sessionARN is how the ARNs of all sessions of a role begin: without the role's path.
func sessionARN(role string) string {
	m := roleARN.FindStringSubmatch(role)
	if m == nil {
		return "no role"
	}
	return fmt.Sprintf("arn:%s:sts::%s:assumed-role/%s/", m[1], m[2], m[3])
}

// instanceSession is how EC2 calls the session of an instance's role.
var instanceSession = regexp.MustCompile(`:assumed-role/[^/]+/i-[0-9a-f]+$`)

// causeOf is the usual reason for such an identity, with what to do.
func causeOf(arn string) string {
	switch {
	case instanceSession.MatchString(arn):
		return "that is the node's role. The pod has no token of its own: annotate its ServiceAccount with eks.amazonaws.com/role-arn, or make a Pod Identity association, then restart the pod; and keep pods from the node's role (a hop limit of 1)"
	case strings.Contains(arn, ":user/"), strings.HasSuffix(arn, ":root"):
		return "those are keys of an account or user, which go before the pod's role: take AWS_ACCESS_KEY_ID, AWS_PROFILE and shared credentials files from the worker's environment"
	}
	return "the annotation of the ServiceAccount, the Pod Identity association or AWS_PROFILE names that role: correct it, or aws.expectedRoleArn in the worker's configuration, and restart the pod"
}
