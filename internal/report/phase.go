package report

// Phase is the outcome of a run that reached its end, in Velero's words.
type Phase string

// A run that could not reach its end is Failed or FailedValidation; reasons
// cannot tell that, so those phases are not given here.
const (
	Completed       Phase = "Completed"
	PartiallyFailed Phase = "PartiallyFailed"
)

// PhaseOf is PartiallyFailed as soon as one reason is an error.
func PhaseOf(reasons []Reason) Phase {
	if c := Tally(reasons); c.Errors > 0 {
		return PartiallyFailed
	}
	return Completed
}

// Counts are the numbers that stand in status.warnings and status.errors.
type Counts struct {
	Warnings int `json:"warnings"`
	Errors   int `json:"errors"`
}

// Tally counts reasons by severity.
func Tally(reasons []Reason) Counts {
	var c Counts
	for _, r := range reasons {
		if r.IsError() {
			c.Errors++
		} else {
			c.Warnings++
		}
	}
	return c
}
