package store

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
)

// Limits of S3 on object tags.
const (
	maxTags     = 10
	maxTagKey   = 128
	maxTagValue = 256
)

// parseTags accepts what Velero accepts, and also a single tag.
func (p *parser) parseTags() string {
	text := p.config[keyTagging]
	if text == "" {
		return ""
	}
	values, err := url.ParseQuery(text)
	if err != nil {
		p.addConfigErrorf(keyTagging, "%q is not of the form key=value&key2=value2", text)
		return ""
	}
	if len(values) > maxTags {
		p.addConfigErrorf(keyTagging, "%d tags; S3 allows %d", len(values), maxTags)
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		p.checkTag(key, values[key])
	}
	return values.Encode()
}

// LocationTags are the tags that a location's configuration asks for; ValidateLocation has
// checked them.
func LocationTags(l *velerov1.BackupStorageLocation) map[string]string {
	values, err := url.ParseQuery(l.Spec.Config[keyTagging])
	if err != nil {
		return nil
	}
	tags := make(map[string]string, len(values))
	for key := range values {
		tags[key] = values.Get(key)
	}
	return tags
}

func (p *parser) checkTag(key string, values []string) {
	switch {
	case key == "":
		p.addConfigErrorf(keyTagging, "a tag without a key")
	case len(values) > 1:
		p.addConfigErrorf(keyTagging, "tag %q is given %d times", key, len(values))
	case strings.HasPrefix(strings.ToLower(key), "aws:"):
		p.addConfigErrorf(keyTagging, "tag %q: the prefix aws: is reserved", key)
	case len([]rune(key)) > maxTagKey:
		p.addConfigErrorf(keyTagging, "tag %q: the key is longer than %d characters", key, maxTagKey)
	case len([]rune(values[0])) > maxTagValue:
		p.addConfigErrorf(keyTagging, "tag %q: the value is longer than %d characters", key, maxTagValue)
	}
}
