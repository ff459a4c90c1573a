//go:build stack

package drill

import (
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
	"github.com/lifeboat-backup/lifeboat/test/harness"
)

// keptDrill keeps its copy under a name that stays.
const keptDrill = `
apiVersion: lifeboat-backup.github.io/v1
kind: Drill
metadata: {name: staging}
spec:
  source: {backup: <backup>}
  readyTimeout: 1s
  targets: {level: L2}
  keep: {for: 1h, namespaces: {<ns>: <copy>}}
`

// TestKept: the copy of each drill is found under the same name, until somebody ends it; the evidence
// is there at once and says until when.
func TestKept(t *testing.T) {
	ns, backup := setUpStuck(t, "kept")
	copied := "staging-" + shared.ID
	document := strings.NewReplacer("<ns>", ns, "<backup>", backup, "<copy>", copied).Replace(keptDrill)
	for range 2 {
		drilled := len(chainNow(t))
		if err := shared.StartDrill(t.Context(), document); err != nil {
			t.Fatal(err)
		}
		until(t, time.Minute, "the evidence is there", func() bool { return len(chainNow(t)) == drilled+1 })
		p := chainNow(t)[drilled].Statement.Predicate
		if p.Teardown.Outcome != evidence.TeardownKept || p.Teardown.KeptUntil.Time().Before(time.Now().Add(50*time.Minute)) || p.Target.Namespaces[0].To != copied {
			t.Errorf("%+v, %+v", p.Teardown, p.Target)
		}
		if shared.Object(t, "configmaps", copied, "c") == nil {
			t.Error("the copy is not under its name")
		}
		until(t, time.Minute, "the copy has the pod of its workload, and that alone", func() bool {
			pods := harness.Names(shared.List(t, "pods", copied, ""))
			return len(pods) == 1 && strings.HasPrefix(pods[0], "web-")
		})
		if c := p.NegativeControl; c.Outcome != evidence.ControlDetected || len(c.Faults) != 2 {
			t.Errorf("negative control %+v", c)
		}
		cli(t, 5, "drill", "run", "other", "--from-backup", backup) // it waits so long
		cli(t, 0, "drill", "stop")
		if err := await(t); err != nil {
			t.Error(err)
		}
		if left := copies(t); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	}
}
