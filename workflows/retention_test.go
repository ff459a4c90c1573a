package workflows_test

import (
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

func newRetention(t *testing.T) *stage {
	t.Helper()
	hold := "audit"
	in := contract.SetRetentionInput{Name: "nightly", Hold: &hold}
	s := newStage(t, contract.RetentionID(cluster, in.Name))
	s.start = func() { s.env.ExecuteWorkflow(contract.RetentionWorkflow, in) }
	answer(s, contract.SetRetention, func(in contract.SetRetentionInput) contract.RetentionResult {
		return contract.RetentionResult{Name: in.Name, Hold: *in.Hold}
	})
	return s
}

func retentionPhases() []phase { return []phase{{activity: contract.SetRetention.Name}} }

func TestRetentionPhases(t *testing.T) { testPhases(t, retentionPhases(), newRetention) }

func TestRetention(t *testing.T) {
	s := newRetention(t)
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
	if res := resultOf[contract.RetentionResult](s); res != (contract.RetentionResult{Name: "nightly", Hold: "audit"}) {
		t.Errorf("%+v", res)
	}
}
