package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// What is promised of speed and memory.
const (
	backupFaster  = 3.5       // times Velero's speed
	restoreFaster = 8         // times Velero's speed
	ofBareCreate  = 0.75      // of the bare CREATE rate after a deletion
	workerRSS     = 256 << 20 // bytes, at memorySize objects
	flatRSS       = 1.15      // times that of memorySize, at more objects: the rest is noise
	memorySize    = 50_000    // the load that memory and one Secret are promised for
	oneSecretTime = 1         // seconds
	oneSecretRead = 0.01      // of the tarball's bytes
	rehearsalTime = 45        // seconds, of rehearsedSize objects
	rehearsalCPU  = 60        // CPU seconds beside the worker
	rehearsalMB   = 400       // 10^6 bytes beside the worker
	rehearsedSize = 10_000
	exactLists    = 1.2 // times plain lists, of memorySize objects
	csiFaster     = 20  // times Velero's speed, from csiCompared volumes on
	csiCompared   = 100
	ofLimits      = 1.2 // times the least time that the account's limits allow
	manyVolumes   = 300 // of the native path the whole backup is promised for these: its end is short beside them
)

// promise is one figure that was promised, and what this run measured.
type promise struct {
	What     string
	Got      float64
	Bound    float64
	AtMost   bool // Got is not to be above Bound; else not below
	Measured bool
}

const (
	verdictMet    = "met"
	verdictMissed = "MISSED"
	verdictNone   = "not measured"
)

func (p promise) verdict() string {
	switch {
	case !p.Measured:
		return verdictNone
	case p.AtMost && p.Got > p.Bound, !p.AtMost && p.Got < p.Bound:
		return verdictMissed
	default:
		return verdictMet
	}
}

// atLeast and atMost are promises of a ratio. One of whose terms is zero was not
// measured: nothing that is measured here takes no time or memory.
func atLeast(bound, a, b float64, what string, args ...any) promise {
	return promise{What: fmt.Sprintf(what, args...), Got: ratio(a, b), Bound: bound, Measured: a > 0 && b > 0}
}

func atMost(bound, a, b float64, what string, args ...any) promise {
	p := atLeast(bound, a, b, what, args...)
	p.AtMost = true
	return p
}

func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// promises are all of them, also those that this run did not measure.
func promises(rows []row, volumes []volumeRow, rehearsal rehearsalRow, listed listRow) []promise {
	var all []promise
	for _, n := range []int{10_000, memorySize} {
		all = append(all, ofObjects(rowOf(rows, n))...)
	}
	all = append(all, ofMemory(rows)...)
	all = append(all, atMost(exactLists, listed.Exact, listed.Plain, "lists of one revision, %d objects, x plain ones", memorySize))
	all = append(all, ofRehearsal(rehearsal)...)
	for _, r := range required(volumes) {
		all = append(all, ofVolumes(r)...)
	}
	return all
}

// rowOf is the row of a size, an empty one if it was not measured.
func rowOf(rows []row, objects int) row {
	for _, r := range rows {
		if r.Size.Objects == objects {
			return r
		}
	}
	return row{Size: size{Objects: objects}}
}

func ofObjects(r row) []promise {
	n := r.Size.Objects
	return []promise{
		atLeast(backupFaster, r.VeleroBackup, r.LifeboatBackup, "backup of %d objects, x Velero", n),
		atLeast(restoreFaster, r.VeleroRestore, r.LifeboatRestore, "restore of %d objects, x Velero", n),
		atLeast(ofBareCreate, r.BareCreateAgain, r.LifeboatRestore, "restore of %d objects, of bare CREATE after a deletion", n),
	}
}

// ofMemory are the promises that are made for memorySize objects: memory, which is not
// to grow from there on, and the restore of one Secret.
func ofMemory(rows []row) []promise {
	at := rowOf(rows, memorySize)
	all := []promise{
		atMost(workerRSS>>20, float64(at.WorkerRSSBackup)/(1<<20), 1, "worker peak RSS, backup of %d objects, MiB", memorySize),
		atMost(workerRSS>>20, float64(at.WorkerRSSRestore)/(1<<20), 1, "worker peak RSS, restore of %d objects, MiB", memorySize),
		atMost(oneSecretTime, at.OneSecretSeconds, 1, "one Secret of %d objects, seconds", memorySize),
		atMost(oneSecretRead, float64(at.OneSecretBytes), float64(at.TarballBytes), "one Secret of %d objects, of the tarball's bytes", memorySize),
	}
	more := rowOf(rows, 2*memorySize)
	return append(all, atMost(flatRSS, float64(more.WorkerRSSBackup), float64(at.WorkerRSSBackup),
		"worker peak RSS, backup of %d objects, x that of %d", more.Size.Objects, memorySize))
}

// ofRehearsal are the promises of a rehearsal of rehearsedSize objects.
func ofRehearsal(r rehearsalRow) []promise {
	return []promise{
		atMost(rehearsalTime, r.Seconds, 1, "rehearsal of %d objects, seconds", rehearsedSize),
		atMost(rehearsalCPU, r.CPUSeconds, 1, "rehearsal of %d objects, CPU seconds beside the worker", rehearsedSize),
		atMost(rehearsalMB, r.Bytes/1e6, 1, "rehearsal of %d objects, MB beside the worker", rehearsedSize),
	}
}

// required are the rows of volumes, and empty ones for those that something is promised
// of and that were not measured.
func required(volumes []volumeRow) []volumeRow {
	all := slices.Clone(volumes)
	for _, want := range []volumeRow{{Volumes: csiCompared, Path: atOnce}, {Volumes: manyVolumes, Path: native}, {Volumes: manyVolumes, Path: csi}} {
		if !slices.ContainsFunc(volumes, func(r volumeRow) bool { return r.Volumes == want.Volumes && r.Path == want.Path }) {
			all = append(all, want)
		}
	}
	return all
}

func ofVolumes(r volumeRow) []promise {
	name := fmt.Sprintf("%d volumes, %s", r.Volumes, r.Path)
	if r.Path == atOnce {
		if r.Volumes < csiCompared {
			return nil
		}
		return []promise{atLeast(csiFaster, r.Velero, r.Command, "%s: x Velero", name)}
	}
	var all []promise
	if r.Path == native || r.Volumes >= manyVolumes { // a driver's own time weighs where there are few
		all = append(all, atMost(ofLimits, r.Snapshots, r.Least, "%s: snapshots, x the least time", name))
	}
	if r.Path != native { // the driver calls EC2, and repeats
		return all
	}
	if r.Volumes >= manyVolumes {
		all = append(all, atMost(ofLimits, r.Workflow, r.Least, "%s: whole backup, x the least time", name))
	}
	return append(all, promise{What: name + ": calls that EC2 refused", Got: float64(r.refusals()), AtMost: true, Measured: r.Calls > 0})
}

// verdicts prints each promise and counts those that the run did not keep.
func verdicts(out io.Writer, all []promise) (missed int) {
	w := tabwriter.NewWriter(out, 2, 8, 2, ' ', 0)
	fmt.Fprintln(w, "promised\tbound\tmeasured\t")
	for _, p := range all {
		bound, got := "at least", "-"
		if p.AtMost {
			bound = "at most"
		}
		if p.Measured {
			got = fmt.Sprintf("%.4g", p.Got)
		}
		fmt.Fprintf(w, "%s\t%s %.4g\t%s\t%s\n", p.What, bound, p.Bound, got, p.verdict())
		if p.verdict() == verdictMissed {
			missed++
		}
	}
	_ = w.Flush()
	return missed
}
