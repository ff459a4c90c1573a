package drill

import (
	"context"
	"fmt"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
)

// checklistTime bounds how long the evidence waits for answers about the installation.
const checklistTime = time.Minute

// askChecklist answers the production checklist for the evidence. What cannot be answered here is unknown, with
// the reason, and keeps no evidence from being signed.
func (s *Service) askChecklist(ctx context.Context) []evidence.Check {
	if s.Checklist == nil {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, checklistTime)
	defer cancel()
	answers, err := s.Checklist(limited)
	if len(answers) == 0 {
		why := "the worker of the drill has answered no question"
		if err != nil {
			why = err.Error()
		}
		return []evidence.Check{{ID: "checklist", Question: "Is the installation fit for production?", Answer: "unknown", Found: evidence.Text(why), Remedy: "lifeboat doctor"}}
	}
	var all []evidence.Check
	seen := map[string]int{}
	for _, a := range answers {
		id := a.ID
		if seen[a.ID]++; seen[a.ID] > 1 { // evidence has each id once
			id = fmt.Sprintf("%s#%d", a.ID, seen[a.ID])
		}
		all = append(all, evidence.Check{
			ID: evidence.Text(id), Question: evidence.Text(a.Question), Answer: evidence.Answer(a.Answer), Found: evidence.Text(a.Found), Remedy: evidence.Text(a.Remedy),
		})
	}
	return all
}
