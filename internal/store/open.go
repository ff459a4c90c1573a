package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/aws/awsconf"
)

// Options are what the process gives a store, as opposed to what the
// location's document says.
type Options struct {
	// Logger receives the few things worth knowing that are no errors, such as
	// a capability found missing. Nil is silence.
	Logger *slog.Logger
	// Secret reads one key of a Secret in the configured namespace, for
	// spec.credential, caCertRef and customerKeyEncryptionSecret. Without it
	// locations that use them are refused.
	Secret awsconf.SecretReader
	// Parallel is how many parts of one composed or streamed object are in
	// flight; 0 means 4. Memory: at most Parallel+1 parts of about 8 MiB each.
	Parallel int
	// Attempts is how often a request is made before its failure counts; 0
	// means 11, which ride out about twenty seconds.
	Attempts int
	// HTTP sends all requests, to STS too; nil is a client that knows the location's certificate
	// authority, and the SDK's own for STS.
	HTTP aws.HTTPClient
}

const defaultParallel = 4

// S3 is a Store in an S3 bucket.
type S3 struct {
	settings
	client   *s3.Client
	public   *s3.PresignClient
	http     aws.HTTPClient
	log      *slog.Logger
	customer *customerKey
	parallel int
	attempts int
	meter    *meter

	noPartCopy atomic.Bool // learnt from the store's answer, as is the next
	equalParts atomic.Bool
	probe      sync.Mutex
	probed     *bool // guarded by probe
}

var _ Store = (*S3)(nil)

// API is the client of the location's bucket, with the bucket and the prefix in it, for what
// is asked of the bucket itself (package bucket).
func (s *S3) API() (client *s3.Client, bucket, prefix string) { return s.client, s.bucket, s.prefix }

// Open builds the store of a location. It reads credentials and keys, and
// looks up the bucket's region when neither region nor s3Url is given, but
// writes nothing. All problems of the document are reported together.
func Open(ctx context.Context, bsl velerov1.BackupStorageLocation, o Options) (*S3, error) {
	set, errs := parseSettings(&bsl, "backupStorageLocation")
	if len(errs) > 0 {
		return nil, fmt.Errorf("open location %q: %w", bsl.Name, errors.Join(errs...))
	}
	s := &S3{settings: set, log: o.Logger, parallel: cmp.Or(max(o.Parallel, 0), defaultParallel), attempts: cmp.Or(max(o.Attempts, 0), defaultAttempts), meter: &meter{}}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if err := s.connectClients(ctx, &bsl, o); err != nil {
		return nil, fmt.Errorf("open location %q: %w", bsl.Name, err)
	}
	return s, nil
}

func (s *S3) connectClients(ctx context.Context, bsl *velerov1.BackupStorageLocation, o Options) (err error) {
	sec := o.Secret
	if s.customer, err = loadCustomerKey(ctx, s.settings, sec); err != nil {
		return err
	}
	if ref := bsl.Spec.ObjectStorage.CACertRef; ref != nil {
		if s.caCert, err = sec.Get(ctx, "spec.objectStorage.caCertRef", ref.Name, ref.Key); err != nil {
			return err
		}
	}
	cfg, err := awsconf.Load(ctx, awsconf.Source{
		Region: s.region, Profile: s.profile, CredentialsFile: s.credentialsFile, Credential: bsl.Spec.Credential, Secret: sec, Role: s.role,
		Rejected: func(err error) bool { return errors.Is(kindOf(err), ErrCredentials) },
	}, config.WithRetryer(newRetryer(s.attempts)), config.WithHTTPClient(o.HTTP))
	if err != nil {
		return err
	}
	if s.http = o.HTTP; s.http == nil {
		s.http, err = newHTTPClient(s.settings)
	}
	if err != nil {
		return err
	}
	if s.region, err = s.findRegion(ctx, cfg); err != nil {
		return err
	}
	cfg.Region = s.region
	s.client = s3.NewFromConfig(cfg, s.clientOptions(s.s3URL))
	s.public = s3.NewPresignClient(s3.NewFromConfig(cfg, s.presignOptions()))
	return nil
}

// Bucket names the bucket and the prefix below it, for messages and logs.
func (s *S3) Bucket() (bucket, prefix string) { return s.bucket, s.prefix }

// Region is the bucket's region as configured or found.
func (s *S3) Region() string { return s.region }

// Encryption says how objects are encrypted at rest: "SSE-C", "AES256",
// "aws:kms", "aws:kms:dsse", or "" for whatever the bucket does by default.
func (s *S3) Encryption() string {
	if s.customer != nil {
		return "SSE-C"
	}
	return string(s.sse)
}

// ReadOnly reports that the location's access mode forbids writes.
func (s *S3) ReadOnly() bool { return s.readOnly }

// PartCopyMissing reports that the store refused to copy parts on its own
// side, so composing moves the bytes through this process.
func (s *S3) PartCopyMissing() bool { return s.noPartCopy.Load() }

// WantsEqualParts reports that the store refused parts of unequal length, so composing moves
// most bytes through this process.
func (s *S3) WantsEqualParts() bool { return s.equalParts.Load() }
