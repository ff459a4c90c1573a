package restore

import (
	"context"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/util/json"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
)

// isRelated reports whether an object is restored because a selected one needs it, whatever
// the filters say of it.
func (s *Run) isRelated(k archive.Key) bool {
	return s.Index.Related(k.Resource, k.Name) || s.Dependencies[RefOf(k)]
}

// Includes reports whether an object of the backup is restored, if its labels allow it.
func (s *Run) Includes(gr, namespace, name string) bool {
	return s.Plan.Filter.IncludeObject(gr, namespace, name) ||
		s.isRelated(archive.Key{Resource: gr, Namespace: namespace, Name: name})
}

// Selects reports whether an object of the backup that has these labels is restored.
func (s *Run) Selects(k archive.Key, labels map[string]string) bool {
	f := s.Plan.Filter
	return s.isRelated(k) || f.IncludeObject(k.Resource, k.Namespace, k.Name) && f.MatchLabels(k.Resource, labels)
}

// Lookup answers the questions of rules about other objects of this restore. It reads the
// index blocks of a type, and with a label selector its objects, when that type is first
// asked for; most restores ask for none. The first read that fails is kept for Failed,
// because a rule cannot return it.
type Lookup struct {
	ctx  context.Context
	run  *Run
	mu   sync.Mutex
	keys map[string]map[string]bool // by resource: "namespace/name"
	err  error

	versions map[string][]string // that stored definitions serve, by resource; nil until one is asked for
}

// NewLookup answers for as long as ctx lives.
func NewLookup(ctx context.Context, s *Run) *Lookup {
	return &Lookup{ctx: ctx, run: s, keys: map[string]map[string]bool{}}
}

// Failed returns the error of the first read that failed. Answers since then are not reliable.
func (l *Lookup) Failed() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

func (l *Lookup) keepError(err error) {
	if l.err == nil {
		l.err = err
	}
}

// Has reports whether an object is restored, too.
func (l *Lookup) Has(gr, namespace, name string) bool {
	if !l.run.Includes(gr, namespace, name) {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.keys[gr] == nil {
		l.keys[gr] = l.readNames(gr)
	}
	return l.keys[gr][resource.ObjectName(namespace, name)]
}

// readNames finds the objects of a type that the labels do not leave out.
func (l *Lookup) readNames(gr string) map[string]bool {
	found := map[string]bool{}
	if l.run.Plan.Filter.HasSelectors() {
		l.keepError(repository.WalkResource(l.ctx, l.run.Arc, gr, func(e archive.Entry, body []byte) error {
			if e.Resource == gr && l.run.Selects(e.Key, resource.DecodeLabels(body)) {
				found[e.Object()] = true
			}
			return nil
		}))
		return found
	}
	for _, m := range l.run.Arc.With(gr) {
		entries, err := l.run.Arc.Entries(l.ctx, m)
		if err != nil {
			l.keepError(err)
			return found
		}
		for _, e := range entries {
			if e.Resource == gr {
				found[e.Object()] = true
			}
		}
	}
	return found
}

// Read returns an object of the archive, nil if it cannot be read.
func (l *Lookup) Read(k archive.Key) []byte {
	raw, _, err := l.run.Arc.Read(l.ctx, k)
	if err != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.keepError(err)
	}
	return raw
}

// ServiceSelects reports whether a Service of this restore has a selector.
func (l *Lookup) ServiceSelects(namespace, name string) bool {
	if !l.Has("services", namespace, name) {
		return false
	}
	var svc struct {
		Spec struct {
			Selector map[string]string `json:"selector"`
		} `json:"spec"`
	}
	raw := l.Read(archive.Key{Resource: "services", Namespace: namespace, Name: name})
	if err := json.Unmarshal(raw, &svc); raw != nil && err != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.keepError(err)
	}
	return len(svc.Spec.Selector) > 0
}

// WillServe reports whether the restore makes the definition of a type, with this version. A
// definition has the name of the type's resource and group.
func (l *Lookup) WillServe(gr, version string) bool {
	if !l.Has(resource.CustomResourceDefinitions, "", gr) {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.versions == nil {
		l.versions = map[string][]string{}
		l.keepError(l.readVersions())
	}
	return slices.Contains(l.versions[gr], version)
}

// readVersions reads which versions the stored definitions serve: all of them, because a
// cluster that lacks one often lacks hundreds that lie side by side.
func (l *Lookup) readVersions() error {
	return repository.WalkResource(l.ctx, l.run.Arc, resource.CustomResourceDefinitions, func(e archive.Entry, body []byte) error {
		var crd struct {
			Spec struct {
				Versions []struct {
					Name   string `json:"name"`
					Served bool   `json:"served"`
				} `json:"versions"`
			} `json:"spec"`
		}
		if json.Unmarshal(body, &crd) != nil {
			crd.Spec.Versions = nil // it fails when it is applied itself
		}
		l.versions[e.Name] = nil // of several the last counts
		for _, v := range crd.Spec.Versions {
			if v.Served {
				l.versions[e.Name] = append(l.versions[e.Name], v.Name)
			}
		}
		return nil
	})
}
