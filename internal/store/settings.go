package store

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/aws/awsconf"
)

// The keys of a location's spec.config, as Velero's plug-in for AWS names them.
const (
	keyRegion           = "region"
	keyS3URL            = "s3Url"
	keyPublicURL        = "publicUrl"
	keyForcePathStyle   = "s3ForcePathStyle"
	keySSE              = "serverSideEncryption"
	keyKMSKeyID         = "kmsKeyId"
	keyCustomerFile     = "customerKeyEncryptionFile"
	keyCustomerSecret   = "customerKeyEncryptionSecret"
	keySignatureVersion = "signatureVersion"
	keyProfile          = "profile"
	keyCredentialsFile  = "credentialsFile"
	keySharedConfig     = "enableSharedConfig"
	keyInsecureTLS      = "insecureSkipTLSVerify"
	keyTagging          = "tagging"
	keyChecksum         = "checksumAlgorithm"
)

// settings is a location's configuration, parsed. Secrets are not in it: they
// are read when the store is opened.
type settings struct {
	bucket, prefix         string
	region                 string
	s3URL, publicURL       string
	pathStyle, insecureTLS bool
	sse                    types.ServerSideEncryption
	kmsKeyID               string
	customerFile           string
	customerSecret         string
	profile                string
	credentialsFile        string
	role                   awsconf.Role
	tagging                string
	checksum               types.ChecksumAlgorithm
	caCert                 []byte
	readOnly               bool
}

// parser reads spec.config and gathers every problem instead of the first.
type parser struct {
	path   string
	config map[string]string
	errs   []error
}

func (p *parser) addFieldErrorf(field, format string, a ...any) {
	p.errs = append(p.errs, fmt.Errorf("%s.%s: %s", p.path, field, fmt.Sprintf(format, a...)))
}

func (p *parser) addConfigErrorf(key, format string, a ...any) {
	p.addFieldErrorf("spec.config."+key, format, a...)
}

func knownKeys() []string {
	return append(awsconf.RoleKeys(),
		keyRegion, keyS3URL, keyPublicURL, keyForcePathStyle, keySSE, keyKMSKeyID, keyCustomerFile, keyCustomerSecret,
		keySignatureVersion, keyProfile, keyCredentialsFile, keySharedConfig, keyInsecureTLS, keyTagging, keyChecksum,
	)
}

func (p *parser) unknownKeys() {
	known := slices.Sorted(slices.Values(knownKeys()))
	for _, key := range slices.Sorted(maps.Keys(p.config)) {
		if !slices.Contains(known, key) {
			p.addConfigErrorf(key, "unknown key; known keys: %s", strings.Join(known, ", "))
		}
	}
}

func (p *parser) parseBoolean(key string) bool {
	text, set := p.config[key]
	if !set || text == "" {
		return false
	}
	v, err := strconv.ParseBool(text)
	if err != nil {
		p.addConfigErrorf(key, `%q is not a boolean; use "true" or "false"`, text)
	}
	return v
}

func (p *parser) parseEndpoint(key string) string {
	text := p.config[key]
	if text == "" {
		return ""
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "":
		p.addConfigErrorf(key, "must be a URL that starts with http:// or https:// and names a host")
	case u.User != nil:
		p.addConfigErrorf(key, "must not carry credentials; use credentialsFile or the worker's role")
	case u.RawQuery != "" || u.Fragment != "":
		p.addConfigErrorf(key, "must not have a query or a fragment")
	}
	return strings.TrimSuffix(text, "/")
}

func (p *parser) parseEncryption(s *settings) {
	s.kmsKeyID, s.customerFile, s.customerSecret = p.config[keyKMSKeyID], p.config[keyCustomerFile], p.config[keyCustomerSecret]
	var set []string
	for _, key := range []string{keyKMSKeyID, keyCustomerFile, keyCustomerSecret} {
		if p.config[key] != "" {
			set = append(set, key)
		}
	}
	if len(set) > 1 {
		p.addConfigErrorf(set[0], "excludes %s; keep one of them", strings.Join(set[1:], " and "))
	}
	if s.customerSecret != "" {
		p.secretRef(s.customerSecret)
	}
	p.serverSide(s)
}

func (p *parser) parseRole(s *settings) {
	role, problems := awsconf.ParseRole(p.config)
	for _, err := range problems {
		p.errs = append(p.errs, fmt.Errorf("%s.%w", p.path, err))
	}
	s.role = role
}

func (p *parser) secretRef(ref string) {
	name, key, ok := strings.Cut(ref, "/")
	if !ok || name == "" || key == "" || strings.Contains(key, "/") {
		p.addConfigErrorf(keyCustomerSecret, "%q must be <secret name>/<key>", ref)
	}
}

func (p *parser) serverSide(s *settings) {
	s.sse = types.ServerSideEncryption(p.config[keySSE])
	allowed := []types.ServerSideEncryption{"", types.ServerSideEncryptionAes256, types.ServerSideEncryptionAwsKms, types.ServerSideEncryptionAwsKmsDsse}
	if !slices.Contains(allowed, s.sse) {
		p.addConfigErrorf(keySSE, "%q is unknown; use AES256, aws:kms or aws:kms:dsse", s.sse)
	}
	switch {
	case s.kmsKeyID != "" && s.sse != types.ServerSideEncryptionAwsKmsDsse:
		s.sse = types.ServerSideEncryptionAwsKms // a key id means KMS, whatever else is said
	case s.customerFile != "" || s.customerSecret != "":
		s.sse = "" // the customer's key replaces the store's; S3 refuses both at once
	}
}

// checksumAlgorithms are those the SDK can compute.
func checksumAlgorithms() []types.ChecksumAlgorithm {
	return []types.ChecksumAlgorithm{
		types.ChecksumAlgorithmCrc32, types.ChecksumAlgorithmCrc32c, types.ChecksumAlgorithmCrc64nvme,
		types.ChecksumAlgorithmSha1, types.ChecksumAlgorithmSha256, types.ChecksumAlgorithmSha512,
	}
}

// checksumAlgorithm: absent means CRC32, present and empty means none at all,
// which several stores that imitate S3 need.
func (p *parser) checksumAlgorithm() types.ChecksumAlgorithm {
	text, set := p.config[keyChecksum]
	if !set {
		return types.ChecksumAlgorithmCrc32
	}
	alg := types.ChecksumAlgorithm(strings.ToUpper(text))
	if alg != "" && !slices.Contains(checksumAlgorithms(), alg) {
		p.addConfigErrorf(keyChecksum, `%q is unknown; use one of %v, or "" for none`, text, checksumAlgorithms())
	}
	return alg
}

func parseSettings(bsl *velerov1.BackupStorageLocation, path string) (settings, []error) {
	p := &parser{path: path, config: bsl.Spec.Config}
	var s settings
	p.parseLocation(bsl, &s)
	p.unknownKeys()
	s.region, s.profile, s.credentialsFile = p.config[keyRegion], p.config[keyProfile], p.config[keyCredentialsFile]
	s.s3URL, s.publicURL = p.parseEndpoint(keyS3URL), p.parseEndpoint(keyPublicURL)
	s.pathStyle, s.insecureTLS = p.parseBoolean(keyForcePathStyle), p.parseBoolean(keyInsecureTLS)
	p.parseBoolean(keySharedConfig) // accepted for Velero's sake; shared files are always read
	p.parseEncryption(&s)
	p.parseRole(&s)
	s.tagging, s.checksum = p.parseTags(), p.checksumAlgorithm()
	return s, p.errs
}
