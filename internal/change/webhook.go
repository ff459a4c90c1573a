package change

import (
	"context"
	"slices"
)

func webhookTypes() []string {
	return []string{"mutatingwebhookconfigurations.admissionregistration.k8s.io", "validatingwebhookconfigurations.admissionregistration.k8s.io"}
}

// mutatingPolicies change objects without calling anybody.
const mutatingPolicies = "mutatingadmissionpolicies.admissionregistration.k8s.io"

type webhooks struct {
	Webhooks []struct {
		Name         string `json:"name"`
		ClientConfig struct {
			URL     string  `json:"url"`
			Service service `json:"service"`
		} `json:"clientConfig"`
	} `json:"webhooks"`
}

type service struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Path      string `json:"path"`
}

type target struct {
	webhook, url string
	service      service
}

// targets are where objects are sent for admission. A certificate that was renewed leaves them
// as they are.
func (w webhooks) targets() (out []target) {
	for _, h := range w.Webhooks {
		out = append(out, target{h.Name, h.ClientConfig.URL, h.ClientConfig.Service})
	}
	return out
}

// newWebhooks finds admission webhooks that were added, or now call somebody else.
func newWebhooks(ctx context.Context, d *Diff, r Reader) (Measure, error) {
	m, err := findWider(ctx, d, r, webhookTypes(), func(older, newer webhooks) bool {
		before := older.targets()
		return slices.ContainsFunc(newer.targets(), func(t target) bool { return !slices.Contains(before, t) })
	})
	added := named(d.objectsOf(mutatingPolicies, Added))
	m.Value, m.Count, m.Names = m.Value+added.Value, m.Count+added.Count, append(m.Names, added.Names...)
	return m, err
}
