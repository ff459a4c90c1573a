package resource

import (
	"encoding/base64"
	"strings"
)

// Masked stands in place of a secret value.
const Masked = "<masked>"

// shortestSecret is the length from which a value is looked for in text: shorter ones
// are found in any text by chance.
const shortestSecret = 4

// Redact hides the values of Secrets, encoded and plain, where a server repeated them
// in a message: admission policies and webhooks may quote what they refuse. Text
// about other types is returned as it is.
func Redact(resource, text string, objs ...map[string]any) string {
	if resource != "secrets" {
		return text
	}
	for _, obj := range objs {
		for _, value := range child(obj, "data") {
			encoded, _ := value.(string)
			plain, err := base64.StdEncoding.DecodeString(encoded)
			for _, secret := range []string{encoded, string(plain)} {
				if err == nil && len(plain) >= shortestSecret {
					text = strings.ReplaceAll(text, secret, Masked)
				}
			}
		}
	}
	return text
}
