package resource

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ImageMapping replaces a part of the names of container images, wherever it occurs in
// them: a registry, a repository, a tag.
type ImageMapping struct {
	Old string `json:"old"`
	New string `json:"new"`
}

// imageTemplates says where the pod of a type that runs containers stands in its objects.
func imageTemplates(resource string) (path []string, ok bool) {
	switch resource {
	case "pods":
		return nil, true
	case "cronjobs.batch":
		return []string{"spec", "jobTemplate", "spec", "template"}, true
	case "daemonsets.apps", "deployments.apps", "jobs.batch", "replicasets.apps", "replicationcontrollers", "statefulsets.apps":
		return []string{"spec", "template"}, true
	}
	return nil, false
}

// mapImages rewrites the images of all containers and init containers. It comes before
// the rule of a Pod, which adds the containers of restore hooks: those are as they are.
func (c *Context) mapImages(resource string, obj map[string]any) {
	path, ok := imageTemplates(resource)
	if !ok || len(c.Images) == 0 {
		return
	}
	spec := child(walk(obj, path...), "spec")
	for _, key := range []string{"containers", "initContainers"} {
		for _, container := range objects(spec, key) {
			if image := str(container, "image"); image != "" {
				container["image"] = c.mapImage(image)
			}
		}
	}
}

// mapImage is what the first mapping that fits makes of an image's name.
func (c *Context) mapImage(name string) string {
	for _, m := range c.Images {
		if m.Old != "" && strings.Contains(name, m.Old) {
			return strings.ReplaceAll(name, m.Old, m.New)
		}
	}
	return name
}

// ImageMappings reads the data of the ConfigMap that maps images: under any key, the
// part to replace, a comma and what takes its place. They are in the order of the keys.
// An error names the key.
func ImageMappings(data map[string]string) ([]ImageMapping, error) {
	var out []ImageMapping
	for _, key := range slices.Sorted(maps.Keys(data)) {
		from, to, _ := strings.Cut(data[key], ",")
		m := ImageMapping{Old: strings.TrimSpace(from), New: strings.TrimSpace(to)}
		if m.Old == "" || m.New == "" {
			return nil, fmt.Errorf("data[%s]: is %q: write the part of an image's name to replace, a comma and what takes its place, as in old.example.com,new.example.com", key, data[key])
		}
		out = append(out, m)
	}
	return out, nil
}
