package reference

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/resource"
)

// serviceRef names a Service that an API server calls.
type serviceRef struct{ Namespace, Name string }

type webhooks struct {
	Webhooks []struct {
		ClientConfig struct{ Service *serviceRef }
	}
}

func checkWebhooks(c *Checker, k archive.Key, body []byte) error {
	var w webhooks
	if err := json.Unmarshal(body, &w); err != nil {
		return err
	}
	for i := range w.Webhooks {
		c.needCalled(k, w.Webhooks[i].ClientConfig.Service)
	}
	return nil
}

func checkAPIService(c *Checker, k archive.Key, body []byte) error {
	var s struct {
		Spec struct{ Service *serviceRef }
	}
	if err := json.Unmarshal(body, &s); err != nil {
		return err
	}
	c.needCalled(k, s.Spec.Service)
	return nil
}

func checkDefinitionBackend(c *Checker, k archive.Key, body []byte) error {
	var d struct {
		Spec struct {
			Conversion *struct {
				Webhook *struct {
					ClientConfig struct{ Service *serviceRef }
				}
			}
		}
	}
	if err := json.Unmarshal(body, &d); err != nil {
		return err
	}
	if conv := d.Spec.Conversion; conv != nil && conv.Webhook != nil {
		c.needCalled(k, conv.Webhook.ClientConfig.Service)
	}
	return nil
}

// AddDefinition notes which versions a definition serves: before the objects of its type come.
func (c *Checker) AddDefinition(k archive.Key, body []byte) {
	var d struct {
		Spec struct {
			Versions []struct {
				Name   string
				Served bool
			}
		}
	}
	if json.Unmarshal(body, &d) != nil {
		return // AddObject tells
	}
	c.served[k.Name] = []string{}
	for _, v := range d.Spec.Versions {
		if v.Served {
			c.served[k.Name] = append(c.served[k.Name], v.Name)
		}
	}
}

// needCalled needs a Service and, once all objects are known, pods behind it.
func (c *Checker) needCalled(k archive.Key, s *serviceRef) {
	if s == nil || isBuiltIn("services", s.Namespace, s.Name) {
		return
	}
	c.selected = append(c.selected, selection{by: k, namespace: s.Namespace, service: s.Name})
}

func noteService(c *Checker, k archive.Key, body []byte) error {
	var s struct {
		Spec struct{ Selector map[string]string }
	}
	if err := json.Unmarshal(body, &s); err != nil {
		return err
	}
	c.labels["selector "+resource.ObjectName(k.Namespace, k.Name)] = []map[string]string{s.Spec.Selector}
	return nil
}

// noteLabels keeps the labels that pods of a namespace have, each set once.
func (c *Checker) noteLabels(namespace string, labels map[string]string) {
	if len(labels) == 0 || slices.ContainsFunc(c.labels[namespace], func(l map[string]string) bool { return maps.Equal(l, labels) }) {
		return
	}
	c.labels[namespace] = append(c.labels[namespace], labels)
}

// withoutBackend are the Services that an API server would call in vain.
func (c *Checker) withoutBackend() []report.Reason {
	var out []report.Reason
	for _, s := range c.selected {
		name := resource.ObjectName(s.namespace, s.service)
		text := ""
		switch known := c.labels["selector "+name]; {
		case len(known) == 0:
			text = fmt.Sprintf("is served by Service %s, which the backup does not hold", name)
		case len(known[0]) > 0 && !slices.ContainsFunc(c.labels[s.namespace], func(l map[string]string) bool { return includes(l, known[0]) }):
			text = fmt.Sprintf("is served by Service %s, and nothing in the backup runs the pods that it selects", name)
		default:
			continue
		}
		out = append(out, New(NoBackend, text).At(s.by.Resource, s.by.Namespace, s.by.Name))
	}
	return out
}

// includes says that labels have all that a selector asks for.
func includes(labels, selector map[string]string) bool {
	for key, value := range selector {
		if labels[key] != value {
			return false
		}
	}
	return true
}
