package assertion

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
)

// secretValue is a value of a Secret, and what is told in its place.
type secretValue struct{ value, name string }

// shortestSecret: shorter values are words and numbers that stand anywhere.
const shortestSecret = 6

// hider takes the values of a namespace's Secrets out of texts. Where they cannot be read
// nothing is told at all.
func (r *Runner) hider(ctx context.Context, namespace string) func(string) string {
	values, err := r.readSecrets(ctx, namespace)
	if err != nil {
		return func(text string) string {
			if text == "" {
				return ""
			}
			return "(withheld: the Secrets whose values it may hold could not be read)"
		}
	}
	return func(text string) string {
		for _, v := range values {
			text = strings.ReplaceAll(text, v.value, v.name)
		}
		return text
	}
}

func (r *Runner) readSecrets(ctx context.Context, namespace string) ([]secretValue, error) {
	if known, ok := r.secrets[namespace]; ok || namespace == "" {
		return known, nil
	}
	type secret struct {
		Metadata struct{ Name string } `json:"metadata"`
		Data     map[string][]byte     `json:"data"`
	}
	var found []secretValue
	err := kube.List(ctx, r.Client, kube.Secrets(), namespace, "", func(s secret) error {
		for key, value := range s.Data {
			if text := strings.TrimSpace(string(value)); len(text) >= shortestSecret {
				found = append(found, secretValue{text, fmt.Sprintf("[secret %s, key %s]", s.Metadata.Name, key)})
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(found, func(a, b secretValue) int { return len(b.value) - len(a.value) }) // one may hold another
	if r.secrets == nil {
		r.secrets = map[string][]secretValue{}
	}
	r.secrets[namespace] = found
	return found, nil
}

// longestValue bounds a value in the result, in bytes.
const longestValue = 1 << 10

// shorten tells a long value by its digest, so that equal ones stay equal and others do not.
func shorten(value string) string {
	if text := evidence.Text(value); text == value && len(value) <= longestValue {
		return value
	}
	sum := sha256.Sum256([]byte(value))
	return fmt.Sprintf("%d bytes, sha256 %s", len(value), hex.EncodeToString(sum[:]))
}
