package reference

import (
	"encoding/json"
	"fmt"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
)

const (
	// largestObject is what etcd takes of one request by default, 1.5 MiB.
	largestObject = 1536 << 10
	// largestAnnotations is what an API server takes of all annotations of an object.
	largestAnnotations = 256 << 10
)

// identity is what an object says of itself.
type identity struct {
	APIVersion string
	Kind       string
	Metadata   struct {
		Name, Namespace string
		Annotations     map[string]string
	}
}

// checkContent checks what any object must be, and says whether it can be read at all.
func (c *Checker) checkContent(k archive.Key, body []byte) bool {
	var id identity
	wrong := ""
	switch err := json.Unmarshal(body, &id); {
	case err != nil:
		wrong = "is not a JSON object"
	case id.Metadata.Name != k.Name || id.Metadata.Namespace != k.Namespace:
		wrong = "is stored under this name and has another one"
	case id.Kind == "" || id.APIVersion == "":
		wrong = "does not say its kind"
	}
	if wrong != "" {
		c.found = append(c.found, New(NotTheObject, wrong).At(k.Resource, k.Namespace, k.Name))
		return false
	}
	size := 0
	for key, value := range id.Metadata.Annotations {
		size += len(key) + len(value)
	}
	switch {
	case len(body) > largestObject:
		wrong = fmt.Sprintf("has %d bytes; etcd takes %d", len(body), largestObject)
	case size > largestAnnotations:
		wrong = fmt.Sprintf("has %d bytes of annotations; an API server takes %d", size, largestAnnotations)
	default:
		return true
	}
	c.found = append(c.found, New(TooLarge, wrong).At(k.Resource, k.Namespace, k.Name))
	return true
}
