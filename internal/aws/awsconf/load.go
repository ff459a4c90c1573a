package awsconf

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	corev1 "k8s.io/api/core/v1"
)

// ErrCredentials: there are no credentials, or they are wrong or expired.
var ErrCredentials = errors.New("credentials missing or not accepted")

// Source says where a location's credentials come from.
type Source struct {
	// Region is the location's; "" leaves it to the environment.
	Region string
	// Profile of the credentials file or of the shared files.
	Profile string
	// CredentialsFile is spec.config.credentialsFile.
	CredentialsFile string
	// Credential is spec.credential; it wins over CredentialsFile.
	Credential *corev1.SecretKeySelector
	// Secret reads Credential.
	Secret SecretReader
	// Role is assumed with those credentials.
	Role Role
	// Rejected tells that an answer refuses the credentials. Those of a Secret or a file are
	// read again then, and if they have changed the request is sent once more.
	Rejected func(error) bool
}

// Load builds the SDK's configuration. A profile or a credentials file named by
// the location wins over the environment and over the pod's role, as it does
// with Velero: "default" is named outright because the SDK ranks a profile set
// in code first. It fails with ErrCredentials, or with what reading the Secret said.
func Load(ctx context.Context, s Source, more ...func(*config.LoadOptions) error) (aws.Config, error) {
	cfg, err := s.load(ctx, more...)
	if err == nil && (s.Credential != nil || s.CredentialsFile != "") {
		renew(&cfg, s.Rejected, func(ctx context.Context) (aws.Config, error) { return s.load(ctx, more...) })
	}
	measure(&cfg)
	holdToLease(&cfg)
	return cfg, err
}

func (s Source) load(ctx context.Context, more ...func(*config.LoadOptions) error) (aws.Config, error) {
	file := s.CredentialsFile
	if c := s.Credential; c != nil {
		tmp, remove, err := s.Secret.file(ctx, "spec.credential", c.Name, c.Key)
		if err != nil {
			return aws.Config{}, err
		}
		defer remove() // the SDK has parsed the file when loading returns
		file = tmp
	}
	cfg, err := config.LoadDefaultConfig(ctx, append(s.options(file), more...)...)
	if err != nil {
		return aws.Config{}, fmt.Errorf("load credentials: %w: %w", ErrCredentials, err)
	}
	s.Role.assume(&cfg)
	return cfg, nil
}

func (s Source) options(file string) []func(*config.LoadOptions) error {
	var opts []func(*config.LoadOptions) error
	if s.Region != "" {
		opts = append(opts, config.WithRegion(s.Region))
	}
	profile := s.Profile
	if file != "" {
		opts = append(opts, config.WithSharedConfigFiles([]string{file}), config.WithSharedCredentialsFiles([]string{file}))
		if profile == "" {
			profile = "default"
		}
	}
	if profile != "" {
		opts = append(opts, config.WithSharedConfigProfile(profile))
	}
	return opts
}

const (
	firstBackoff = 100 * time.Millisecond
	maxBackoff   = 5 * time.Second
)

// Backoff doubles from 100 ms to 5 s; half of each pause is left to chance, so
// that parallel requests do not come back in step. Eleven attempts ride out
// some twenty seconds.
func Backoff(attempt int, _ error) (time.Duration, error) {
	pause := min(firstBackoff<<min(max(attempt, 0), 16), maxBackoff)
	return pause/2 + rand.N(pause/2), nil //nolint:gosec // not a secret
}
