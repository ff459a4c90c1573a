package notify

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/drill/definition"
)

// bodyOf writes a message in a form.
func bodyOf(form definition.WebhookForm, m *Message) ([]byte, error) {
	switch form {
	case definition.FormAlertmanager:
		return json.Marshal([]alert{alertOf(m)})
	case definition.FormSlack:
		return json.Marshal(map[string]string{"text": slackText(m)})
	default:
		return json.Marshal(m)
	}
}

// alert is one of Alertmanager's, as POST /api/v2/alerts takes it.
type alert struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
	EndsAt      time.Time         `json:"endsAt"`
}

// firing is how long an alert stands without a drill that ends it: a drill is repeated by its
// schedule, quarterly as a rule.
const firing = 100 * 24 * time.Hour

// alertOf is an alert that a failed drill raises, and the same alert at its end for one that
// passed: the labels are what Alertmanager knows it by.
func alertOf(m *Message) alert {
	a := alert{
		Labels:      map[string]string{"alertname": "LifeboatDrillFailed", "severity": "warning", "cluster": m.Cluster, "drill": m.Drill},
		Annotations: map[string]string{"summary": m.summary(), "description": m.details(), "backup": m.Backup, "id": m.ID},
		StartsAt:    m.Asked, EndsAt: m.Finished,
	}
	if !m.passed() {
		a.EndsAt = m.Finished.Add(firing)
	}
	return a
}

// slackText is a message in Slack's markup, in which three characters mean something.
func slackText(m *Message) string {
	const longest = 3000 // of the 4,000 that Slack asks to stay below
	escape := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	mark := ":white_check_mark: "
	if !m.passed() {
		mark = ":rotating_light: "
	}
	details := []byte{}
	for _, r := range m.details() {
		part := escape.Replace(string(r)) // whole: half of an escape would be read as text
		if len(details)+len(part) > longest {
			details = append(details, "…"...)
			break
		}
		details = append(details, part...)
	}
	return mark + "*" + escape.Replace(m.summary()) + "*\n" + string(details)
}
