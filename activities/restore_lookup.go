package activities

import (
	"context"
	"sync"

	"k8s.io/apimachinery/pkg/util/json"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
)

// lookup answers the rules' questions about other objects of this restore. It reads
// a type's index blocks, and with a label selector its objects, when that type is
// first asked for; most restores ask for none. The first read that fails is kept in
// err, for a rule cannot return it.
type lookup struct {
	ctx  context.Context
	s    *session
	mu   sync.Mutex
	keys map[string]map[string]bool // by resource: "namespace/name"
	err  error

	versions map[string][]string // by resource, of definitions that were asked for
}

// failed is the first read that failed; answers since then cannot be relied on.
func (l *lookup) failed() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

func (l *lookup) note(err error) {
	if l.err == nil {
		l.err = err
	}
}

// has says that an object is restored, too.
func (l *lookup) has(gr, namespace, name string) bool {
	if !l.s.includes(gr, namespace, name) {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.keys[gr] == nil {
		l.keys[gr] = l.load(gr)
	}
	return l.keys[gr][kube.ObjectName(namespace, name)]
}

// load finds the objects of a type, without those that the labels leave out.
func (l *lookup) load(gr string) map[string]bool {
	found := map[string]bool{}
	add := func(e archive.Entry) {
		if e.Resource == gr {
			found[e.Object()] = true
		}
	}
	if l.s.plan.Filter.HasSelectors() {
		l.note(repository.WalkResource(l.ctx, l.s.arc, gr, func(e archive.Entry, body []byte) error {
			if l.s.selects(e.Key, kube.DecodeLabels(body)) {
				add(e)
			}
			return nil
		}))
		return found
	}
	for _, m := range l.s.arc.With(gr) {
		entries, err := l.s.arc.Entries(l.ctx, m)
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

func (l *lookup) serviceSelects(namespace, name string) bool {
	if !l.has("services", namespace, name) {
		return false
	}
	raw, _, err := l.s.arc.Read(l.ctx, archive.Key{Resource: "services", Namespace: namespace, Name: name})
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
