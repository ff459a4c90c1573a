package restore

import (
	"context"
	"errors"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/util/json"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
)

// WillServe says that the restore makes a type's definition, and with it a version.
// The name of a definition is the type's resource and group.
func (l *Lookup) WillServe(gr, version string) bool {
	if !l.Has(resource.CustomResourceDefinitions, "", gr) {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	versions, known := l.Versions[gr]
	if !known {
		versions = l.definition(gr)
		l.Versions[gr] = versions
	}
	return slices.Contains(versions, version)
}

// definition reads the versions that a stored definition serves.
func (l *Lookup) definition(gr string) (versions []string) {
	raw, _, err := l.S.Arc.Read(l.Ctx, archive.Key{Resource: resource.CustomResourceDefinitions, Name: gr})
	if errors.Is(err, archive.ErrNotFound) {
		return nil
	}
	var crd struct {
		Spec struct {
			Versions []struct {
				Name   string `json:"name"`
				Served bool   `json:"served"`
			} `json:"versions"`
		} `json:"spec"`
	}
	if err != nil || json.Unmarshal(raw, &crd) != nil {
		l.note(err) // what cannot be decoded is the definition's own failure
		return nil
	}
	for _, v := range crd.Spec.Versions {
		if v.Served {
			versions = append(versions, v.Name)
		}
	}
	return versions
}

// Lookup answers the rules' questions about other objects of this restore. It reads
// a type's index blocks, and with a label selector its objects, when that type is
// first asked for; most restores ask for none. The first read that fails is kept in
// err, for a rule cannot return it.
type Lookup struct {
	Ctx  context.Context
	S    *Run
	mu   sync.Mutex
	Keys map[string]map[string]bool // by resource: "namespace/name"
	err  error

	Versions map[string][]string // by resource, of definitions that were asked for
}

// Failed is the first read that failed; answers since then cannot be relied on.
func (l *Lookup) Failed() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

func (l *Lookup) note(err error) {
	if l.err == nil {
		l.err = err
	}
}

// Has says that an object is restored, too.
func (l *Lookup) Has(gr, namespace, name string) bool {
	if !l.S.Includes(gr, namespace, name) {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.Keys[gr] == nil {
		l.Keys[gr] = l.load(gr)
	}
	return l.Keys[gr][resource.ObjectName(namespace, name)]
}

// load finds the objects of a type, without those that the labels leave out.
func (l *Lookup) load(gr string) map[string]bool {
	found := map[string]bool{}
	add := func(e archive.Entry) {
		if e.Resource == gr {
			found[e.Object()] = true
		}
	}
	if l.S.Plan.Filter.HasSelectors() {
		l.note(repository.WalkResource(l.Ctx, l.S.Arc, gr, func(e archive.Entry, body []byte) error {
			if l.S.Selects(e.Key, resource.DecodeLabels(body)) {
				add(e)
			}
			return nil
		}))
		return found
	}
	for _, m := range l.S.Arc.With(gr) {
		entries, err := l.S.Arc.Entries(l.Ctx, m)
		if err != nil {
			l.note(err)
			return found
		}
		for _, e := range entries {
			add(e)
		}
	}
	return found
}

// ServiceSelects says that a Service of this restore has a selector.
func (l *Lookup) ServiceSelects(namespace, name string) bool {
	if !l.Has("services", namespace, name) {
		return false
	}
	raw, _, err := l.S.Arc.Read(l.Ctx, archive.Key{Resource: "services", Namespace: namespace, Name: name})
	var svc struct {
		Spec struct {
			Selector map[string]string `json:"selector"`
		} `json:"spec"`
	}
	if err == nil {
		err = json.Unmarshal(raw, &svc)
	}
	if err != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.note(err)
		return false
	}
	return len(svc.Spec.Selector) > 0
}
