package readiness

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// detailed bounds how many are named that are not as they should be.
const detailed = 5

// tally counts, and keeps what is wrong with the first.
type tally struct {
	checked, good int
	wrong         []string
}

// add counts one; why is "" for one that is as it should be.
func (t *tally) add(name, why string) {
	t.checked++
	if why == "" {
		t.good++
		return
	}
	t.wrong = append(t.wrong, name+": "+why)
}

func (t *tally) check() contract.DrillCheck {
	c := contract.DrillCheck{Checked: t.checked, Good: t.good}
	slices.Sort(t.wrong)
	c.Detail = strings.Join(t.wrong[:min(len(t.wrong), detailed)], "; ")
	if more := len(t.wrong) - detailed; more > 0 {
		c.Detail += fmt.Sprintf("; and %d more", more)
	}
	return c
}
