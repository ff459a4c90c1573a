package volume

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/lifeboat-backup/lifeboat/internal/report"
)

// Restorer brings the data of volumes back by one technology. All methods may repeat, in
// another process too: names and tags derive from the restore's UID. They are given the
// volumes of the restore whose data its method keeps. What a driver has to do is tested by
// package volumetest.
//
// A restore calls it at five moments, because a mistake is cheaper the sooner it is found
// and because objects can only be made where their namespace is: Check and Probe before
// the first object is written, Provision until nothing is pending, ClaimObjects when a
// claim is about to be made, Diagnose while the claim is not bound, Sweep at the end,
// however the restore ended.
type Restorer interface {
	// Check plans how each volume comes back and finds out whether it can: what a restore
	// cannot have is refused before it has written anything. It writes nothing itself.
	Check(ctx context.Context, all []*Restore, view View) (Findings, error)
	// Probe looks for snapshots of which Check could not tell without writing to the
	// cluster. The plan is kept by then, so that Sweep finds what it makes. A dry run
	// does without it.
	Probe(ctx context.Context, all []*Restore) (Findings, error)
	// Provision makes the disks that PersistentVolumes are to point at and records in the
	// ledger how far they are. It is called until no disk is pending. A disk that cannot
	// be had is recorded as Failed; an error is of all volumes, or says that an attempt
	// at some of them is to follow.
	Provision(ctx context.Context, all []*Restore, made *Ledger) error
	// ClaimObjects are the objects that a claim needs to be filled from. They are created
	// just before it, in order.
	ClaimObjects(v *Restore) ([]Object, error)
	// Diagnose says what is wrong with the data that a claim is to be filled with, which
	// has been awaited for some time.
	Diagnose(ctx context.Context, v *Restore, waited time.Duration) (Diagnosis, error)
	// Sweep deletes what this restore made and nobody uses, also what no record tells of.
	// A restore that ended well leaves nothing, unless an object was refused.
	Sweep(ctx context.Context, all []*Restore, made map[string]Disk) error
}

// RestoreRun is what a driver knows of the restore whose volumes it brings back.
type RestoreRun struct {
	UID              string
	Name             string
	Backup           string // the name of the backup
	Cluster          string
	Place            string        // the digest of where the restore's files lie
	OperationTimeout time.Duration // itemOperationTimeout of the spec
}

// View is what drivers may look at while they check.
type View struct {
	Facts *Facts // what the backup says of volumes
	// Serves says whether the cluster serves a type ("plural.group").
	Serves func(resource string) bool
	// Nodes are those of the cluster.
	Nodes func(context.Context) ([]corev1.Node, error)
	// EachPod calls fn for the pods of the backup.
	EachPod func(ctx context.Context, fn func(corev1.Pod)) error
}

// Diagnosis is what keeps a claim's volume from being filled.
type Diagnosis struct {
	Problem string // "" for none
	IsFinal bool   // waiting will not help
}

// Findings are what a look at the volumes of a restore came to.
type Findings struct {
	Reasons  []report.Reason // what the owner of the restore should know
	Refusals []Refusal       // why the restore cannot begin
}

// Refusal is one cause why a restore cannot begin.
type Refusal struct {
	Kind string // a type of package contract
	Text string
}

// Refuse notes a cause why the restore cannot begin.
func (f *Findings) Refuse(kind, format string, args ...any) {
	f.Refusals = append(f.Refusals, Refusal{kind, fmt.Sprintf(format, args...)})
}

// Remark notes a reason, on the claim of a volume or on the volume that has none.
func (f *Findings) Remark(v *Restore, why report.Reason) {
	if v.Claim != "" {
		f.Reasons = append(f.Reasons, why.At(claimResource, v.Target, v.Claim))
		return
	}
	f.Reasons = append(f.Reasons, why.At(pvResource, "", v.PV))
}

// Add takes in what another look came to.
func (f *Findings) Add(more Findings) {
	f.Reasons = append(f.Reasons, more.Reasons...)
	f.Refusals = append(f.Refusals, more.Refusals...)
}
