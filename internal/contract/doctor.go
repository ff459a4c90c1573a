package contract

import "time"

// Answers to a question of the checklist.
const (
	AnswerYes     = "yes"
	AnswerNo      = "no"
	AnswerUnknown = "unknown"
)

// Check is a question of the production checklist, and how it was answered by measurement. It
// is what evidence has of it.
type Check struct {
	ID       string `json:"id"`
	Question string `json:"question"`
	Answer   string `json:"answer"`
	Found    string `json:"found,omitempty"`
	// Remedy says what to do if the answer is not yes.
	Remedy string `json:"remedy,omitempty"`
}

// RestoreEstimate is how long a restore of a backup is expected to take.
type RestoreEstimate struct {
	Backup   string `json:"backup"`
	Location string `json:"storageLocation"`
	Objects  int64  `json:"objects"`
	Volumes  int64  `json:"volumes"`
	Bytes    int64  `json:"bytes"` // of the volumes
	// Expected is the middle; Low and High hold the truth nine times of ten. In nanoseconds.
	Expected time.Duration `json:"expected"`
	Low      time.Duration `json:"low"`
	High     time.Duration `json:"high"`
	// Runs is how many restores of the past it rests on.
	Runs int `json:"runs"`
	// Beyond says that nothing half as large was restored before.
	Beyond bool `json:"beyond,omitempty"`
}
