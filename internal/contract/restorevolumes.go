package contract

// RestoreVolumesInput asks to make the disks of a restore and to look how far they
// are. It may be asked as often as one likes: what was made is found again.
type RestoreVolumesInput struct {
	Ref RestoreRef `json:"ref"`
}

// DiskStatus says how far the disks of a restore are. Which is which lies in staging.
type DiskStatus struct {
	Ready   int `json:"ready"`
	Failed  int `json:"failed"` // will not be: their volumes and claims are not restored
	Pending int `json:"pending"`
}

// PatchVolumesInput asks to look at the volumes that storage classes provision for
// restored claims, and to give the ones that are there what the backup knows of them.
type PatchVolumesInput struct {
	Ref RestoreRef `json:"ref"`
	// Seconds is how long these volumes have been waited for: some are given up on
	// sooner than others.
	Seconds int `json:"seconds"`
}

// PatchResult says how many of them are settled.
type PatchResult struct {
	Bound    int `json:"bound"`   // with data of the backup
	Pending  int `json:"pending"` // to look at again
	Warnings int `json:"warnings"`
	Errors   int `json:"errors"`
	// Waits is what the pending ones wait for, with the name of the first.
	Waits string `json:"waits,omitempty"`
}
