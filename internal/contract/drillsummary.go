package contract

import (
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
)

// DrillSummary is a row of `drill get`: what the evidence of a drill says, in short. Who signed
// it is not asked.
type DrillSummary struct {
	// Number is the drill's place in the cluster's chain, from 1.
	Number   int64     `json:"number"`
	Name     string    `json:"name,omitempty"`
	Backup   string    `json:"backup,omitempty"`
	Location string    `json:"storageLocation"` // of the evidence
	Asked    time.Time `json:"asked,omitzero"`
	Level    string    `json:"level,omitempty"`
	Verdict  string    `json:"verdict,omitempty"`
	// RTO is absent if nothing was proven, an objective if there is none.
	RTO          evidence.Millis `json:"rtoMs,omitempty"`
	RPO          evidence.Millis `json:"rpoMs,omitempty"`
	ObjectiveRTO evidence.Millis `json:"objectiveRtoMs,omitempty"`
	ObjectiveRPO evidence.Millis `json:"objectiveRpoMs,omitempty"`
	// Failures are the codes of what speaks against it.
	Failures []string `json:"failures,omitempty"`
	// Damage is why the file is no evidence; all else but Number and Location is empty then.
	Damage string `json:"damage,omitempty"`
}

// DrillDetails is what `drill describe` tells of a drill.
type DrillDetails struct {
	DrillSummary
	ID       string          `json:"id"`
	Finished time.Time       `json:"finished"`
	Workflow string          `json:"workflow,omitempty"`
	Run      string          `json:"run,omitempty"`
	Key      string          `json:"key"` // of the evidence in its storage location
	SHA256   evidence.Digest `json:"sha256"`

	Objective  evidence.Level         `json:"objectiveLevel"`
	Ready      evidence.Millis        `json:"readyMs,omitempty"`
	Against    []DrillFailure         `json:"against,omitempty"`
	Levels     []evidence.LevelResult `json:"levels,omitempty"`
	Phases     []evidence.Phase       `json:"phases,omitempty"`
	Assertions []evidence.Assertion   `json:"assertions,omitempty"`
	// MoreAssertions is how many the answer has no room for.
	MoreAssertions int                      `json:"moreAssertions,omitempty"`
	Teardown       evidence.Teardown        `json:"teardown"`
	Control        evidence.NegativeControl `json:"negativeControl"`
}

// DrillFailure is something that speaks against a drill, and what to do about it.
type DrillFailure struct {
	evidence.Failure
	Next string `json:"next,omitempty"`
}
