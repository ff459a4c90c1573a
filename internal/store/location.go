package store

import (
	"crypto/x509"
	"fmt"
	"strings"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// Velero's names of the provider this package implements.
const (
	providerShort = "aws"
	providerLong  = "velero.io/aws"
)

// ValidateLocation finds everything wrong with a location that can be seen
// without leaving the process. Each error begins with the path of its field;
// path is where the document itself stands in the configuration.
func ValidateLocation(bsl *velerov1.BackupStorageLocation, path string) []error {
	_, errs := parseSettings(bsl, path)
	return errs
}

func (p *parser) parseLocation(bsl *velerov1.BackupStorageLocation, s *settings) {
	p.parseDocument(bsl)
	if bsl.Spec.Provider != providerShort && bsl.Spec.Provider != providerLong {
		p.addFieldErrorf("spec.provider", "%q is not supported; use %s or %s", bsl.Spec.Provider, providerShort, providerLong)
	}
	switch bsl.Spec.AccessMode {
	case "", velerov1.BackupStorageLocationAccessModeReadWrite:
	case velerov1.BackupStorageLocationAccessModeReadOnly:
		s.readOnly = true
	default:
		p.addFieldErrorf("spec.accessMode", "%q is unknown; use ReadWrite or ReadOnly", bsl.Spec.AccessMode)
	}
	p.parseCredential(bsl)
	if bsl.Spec.ObjectStorage == nil {
		p.addFieldErrorf("spec.objectStorage", "required; name the bucket in spec.objectStorage.bucket")
		return
	}
	p.parseObjectStorage(bsl.Spec.ObjectStorage, s)
}

func (p *parser) parseDocument(bsl *velerov1.BackupStorageLocation) {
	if v := bsl.APIVersion; v != "" && v != velerov1.SchemeGroupVersion.String() {
		p.addFieldErrorf("apiVersion", "%q is not %s", v, velerov1.SchemeGroupVersion)
	}
	if k := bsl.Kind; k != "" && k != "BackupStorageLocation" {
		p.addFieldErrorf("kind", "%q is not BackupStorageLocation", k)
	}
	if bsl.Name == "" {
		p.addFieldErrorf("metadata.name", "required")
		return
	}
	for _, msg := range validation.IsDNS1123Subdomain(bsl.Name) {
		p.addFieldErrorf("metadata.name", "%q: %s", bsl.Name, msg)
	}
}

func (p *parser) parseCredential(bsl *velerov1.BackupStorageLocation) {
	c := bsl.Spec.Credential
	if c == nil {
		return
	}
	if c.Name == "" || c.Key == "" {
		p.addFieldErrorf("spec.credential", "needs both name and key")
	}
	if p.config[keyCredentialsFile] != "" {
		p.addFieldErrorf("spec.credential", "excludes spec.config.%s; keep one of them", keyCredentialsFile)
	}
}

func (p *parser) parseObjectStorage(o *velerov1.ObjectStorageLocation, s *settings) {
	s.bucket, s.prefix, s.caCert = o.Bucket, strings.Trim(o.Prefix, "/"), o.CACert
	switch {
	case o.Bucket == "":
		p.addFieldErrorf("spec.objectStorage.bucket", "required")
	case strings.Contains(o.Bucket, "/") && !isAccessPoint(o.Bucket):
		p.addFieldErrorf("spec.objectStorage.bucket", "%q must not contain a slash; put the rest into spec.objectStorage.prefix", o.Bucket)
	}
	if s.prefix != "" {
		if err := CheckKey(s.prefix); err != nil {
			p.addFieldErrorf("spec.objectStorage.prefix", "%v", err)
		}
	}
	if len(o.CACert) > 0 && !x509.NewCertPool().AppendCertsFromPEM(o.CACert) {
		p.addFieldErrorf("spec.objectStorage.caCert", "holds no certificate in PEM (the field is base64 of the PEM text)")
	}
	if ref := o.CACertRef; ref != nil {
		p.parseCACertRef(len(o.CACert) > 0, ref.Name == "" || ref.Key == "")
	}
}

// isAccessPoint recognises the ARN of an access point, in any partition of AWS.
func isAccessPoint(bucket string) bool {
	parts := strings.SplitN(bucket, ":", 4)
	return len(parts) == 4 && parts[0] == "arn" && (parts[1] == "aws" || strings.HasPrefix(parts[1], "aws-")) && strings.HasPrefix(parts[2], "s3")
}

func (p *parser) parseCACertRef(both, incomplete bool) {
	if both {
		p.addFieldErrorf("spec.objectStorage.caCertRef", "excludes caCert; keep one of them")
	}
	if incomplete {
		p.addFieldErrorf("spec.objectStorage.caCertRef", "needs both name and key")
	}
}

// maxKey is S3's limit on the length of a key, in bytes of UTF-8.
const maxKey = 1024

// CheckKey refuses keys that stores read differently from one another: path
// segments that climb, and bytes that XML listings cannot carry.
func CheckKey(key string) error {
	switch {
	case key == "":
		return fmt.Errorf("empty key")
	case len(key) > maxKey:
		return fmt.Errorf("key of %d bytes; S3 allows %d", len(key), maxKey)
	case strings.HasPrefix(key, "/"):
		return fmt.Errorf("%q begins with a slash", key)
	case strings.ContainsFunc(key, func(r rune) bool { return r < 0x20 || r == 0x7f || r == '\uFFFD' }):
		return fmt.Errorf("%q contains a control character or is not UTF-8", key)
	}
	for seg := range strings.SplitSeq(key, "/") {
		if seg == "." || seg == ".." {
			return fmt.Errorf("%q has a segment %q", key, seg)
		}
	}
	return nil
}
