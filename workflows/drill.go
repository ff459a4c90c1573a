package workflows

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

const (
	// teardownTime is how long the copy may take to go: what is left then fails the drill.
	teardownTime = 5 * time.Minute
	// notifyTime is how long a receiver of notifications may be out of reach: the next drill waits
	// until this one has ended.
	notifyTime = 15 * time.Minute
	// longestKeep bounds what the signal may ask for.
	longestKeep = 7 * 24 * time.Hour
	// briefStart is how long pods may take until they run where nothing that is asked for needs them.
	briefStart = time.Minute
)

// RestoreDrill restores a backup beside its original, proves what can be proven of the copy,
// removes it whatever has happened, and leaves signed evidence. It may be killed anywhere. What
// speaks against the drill is its result; the error is for one that was cancelled, or that an
// error ended: that, too, has evidence, once its backup is chosen, and carries the result in its details.
func RestoreDrill(ctx workflow.Context, in contract.DrillInput) (contract.DrillResult, error) {
	ctx = withDrillQueue(withPriority(ctx, drillPriority))
	d, err := newDrill(ctx, in)
	if err != nil {
		return contract.DrillResult{}, err
	}
	cause := d.prepare(ctx)
	if cause != nil && !d.leavesEvidence(ctx) {
		d.tellUnsigned(ctx, cause)
		return contract.DrillResult{}, d.setFailure(ctx, stopError(ctx, cause))
	}
	if cause == nil {
		cause = d.prove(ctx)
	}
	res, err := d.end(ctx, cause)
	if cause != nil && err != nil {
		err = cleanUpError(cause, err)
	}
	if err = firstError(err, cause); err != nil {
		return res, withResult(d.setFailure(ctx, err), res)
	}
	d.setStep(ctx, fmt.Sprintf("done: %s at level %s", res.Verdict, levelText(res.Level)))
	if !res.Passed() {
		return res, d.setPhase(ctx, phaseFailed)
	}
	return res, d.setPhase(ctx, "Completed")
}

// withResult has an error carry the result of a drill that left evidence: Temporal keeps no result
// beside an error, and where nothing may be written the evidence is nowhere else. What kind of error
// it is stays.
func withResult(err error, res contract.DrillResult) error {
	var app *temporal.ApplicationError
	var timeout *temporal.TimeoutError
	isTimeout, kind := errors.As(err, &timeout), ""
	switch {
	case res.ID == "":
		return err
	case temporal.IsCanceledError(err):
		return temporal.NewCanceledError(res)
	case errors.As(err, &app) && (!isTimeout || errors.As(app.Unwrap(), &timeout)):
		kind = app.Type() // the outermost
	case isTimeout: // its cause is the error of the last attempt
		kind = timeout.TimeoutType().String()
	}
	return temporal.NewApplicationErrorWithOptions(errorMessage(err), kind, temporal.ApplicationErrorOptions{NonRetryable: true, Cause: err, Details: []any{res}})
}

// drill is one run; its methods are the phases. It goes through the phases of a restore, but for
// those that write results.
type drill struct {
	*restore
	input    contract.DrillInput
	findings contract.SignDrillInput
	keep     time.Duration
	stopped  string // why it was asked to end early
	heard    bool   // a signal has come since somebody looked
	cancel   workflow.CancelFunc
}

func newDrill(ctx workflow.Context, in contract.DrillInput) (*drill, error) {
	p, err := newProgress(ctx, "Restore drill "+in.Name, in.Name, phaseInProgress)
	if err != nil {
		return nil, err
	}
	d := &drill{restore: &restore{progress: p, run: thisRun(workflow.GetInfo(ctx))}, input: in}
	d.findings = contract.SignDrillInput{Drill: in, Run: d.run}
	return d, nil
}

// prepare chooses the backup, and removes what drills have left that were lost.
func (d *drill) prepare(ctx workflow.Context) error {
	d.findings.Asked = workflow.Now(ctx)
	d.setStep(ctx, "choosing the backup")
	plan, err := runActivity(withDurableOptions(ctx, "choose the backup"), contract.PrepareDrill,
		contract.PrepareDrillInput{Drill: d.input, Run: d.run, Now: workflow.Now(ctx)})
	if err != nil {
		return err
	}
	d.in, d.keep, d.findings.Plan = plan.Restore, plan.Keep, plan
	d.findings.Ref = contract.DrillRef{ID: plan.ID}
	if r := plan.Refused; r != nil {
		return d.causeOf(ctx, temporal.NewNonRetryableApplicationError(r.Message, r.Type, nil))
	}
	d.setStep(ctx, "removing what lost drills have left")
	if _, _, err = d.remove(ctx, contract.RemoveLostDrills); err != nil {
		err = d.causeOf(ctx, err)
	}
	return err
}

// tellsEarly is the version of runs that leave evidence of an early end where they can, and tell
// of an end without any.
const tellsEarly = 1

func tellsOfEarlyEnd(ctx workflow.Context) bool {
	return workflow.GetVersion(ctx, "drills tell of an early end", workflow.DefaultVersion, tellsEarly) == tellsEarly
}

// leavesEvidence tells that the backup of a drill that ends before it has begun is known, so that
// there is something to write of.
func (d *drill) leavesEvidence(ctx workflow.Context) bool {
	return d.findings.Plan.Backup != "" && tellsOfEarlyEnd(ctx)
}

// tellUnsigned tells all who are to be told that a drill has left no evidence, and why.
func (d *drill) tellUnsigned(ctx workflow.Context, cause error) {
	if len(d.input.Spec.Notifications) == 0 || !tellsOfEarlyEnd(ctx) {
		return
	}
	detached, cancel := workflow.NewDisconnectedContext(withPromptQueue(ctx))
	defer cancel()
	res := contract.DrillResult{Name: d.input.Name, ID: d.run.RunID, Backup: d.findings.Plan.Backup, Verdict: "failed", Asked: d.findings.Asked, Finished: workflow.Now(ctx)}
	d.notify(detached, contract.NotifyDrillInput{Result: res, Unsigned: errorMessage(stopError(ctx, cause))})
}

// prove goes through the phases until one fails, the time of the budget is over, or somebody
// asks to stop.
func (d *drill) prove(ctx workflow.Context) error {
	d.findings.Asked = workflow.Now(ctx)
	phases, cancel := workflow.WithCancel(ctx)
	defer cancel()
	d.cancel = cancel
	d.listen(ctx)
	d.watchTime(phases)
	for _, phase := range []func(workflow.Context) error{d.read, d.makeVolumes, d.applyObjects, d.awaitReady, d.assert, d.readVolumes, d.control} {
		if err := phase(phases); err != nil {
			return d.causeOf(ctx, err)
		}
	}
	return nil
}

// causeOf is why the phases ended early: a cancel of the run goes before all else.
func (d *drill) causeOf(ctx workflow.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		err = ctx.Err()
		d.findings.Aborted = "cancelled"
	case d.stopped != "":
		err = temporal.NewNonRetryableApplicationError("the drill ended early: "+d.stopped, "DrillStopped", nil)
		d.findings.Aborted = d.stopped
	default:
		d.findings.Aborted = errorMessage(err)
	}
	return err
}

// listen takes the signals until the run ends.
func (d *drill) listen(ctx workflow.Context) {
	keep, stop := workflow.GetSignalChannel(ctx, contract.KeepDrill), workflow.GetSignalChannel(ctx, contract.StopDrill)
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	workflow.Go(ctx, func(ctx workflow.Context) {
		sel := workflow.NewSelector(ctx)
		sel.AddReceive(keep, func(c workflow.ReceiveChannel, _ bool) {
			var in contract.KeepDrillInput
			c.Receive(ctx, &in)
			d.keep, d.heard = min(max(in.For, 0), longestKeep), true
		})
		sel.AddReceive(stop, func(c workflow.ReceiveChannel, _ bool) {
			c.Receive(ctx, nil)
			d.stop("somebody asked it to stop")
		})
		for {
			sel.Select(ctx)
		}
	})
}

func (d *drill) stop(why string) {
	d.stopped, d.heard, d.keep = why, true, 0
	d.cancel()
}

// watchTime stops the drill when the time of its budget is over.
func (d *drill) watchTime(ctx workflow.Context) {
	most := d.findings.Plan.Most
	workflow.Go(ctx, func(ctx workflow.Context) {
		if workflow.Sleep(ctx, most) == nil {
			d.stop(fmt.Sprintf("the %s of its budget are over", most))
		}
	})
}

// measure notes how long a part of the drill takes that is part of the RTO. One that fails has
// no time.
func (d *drill) measure(ctx workflow.Context, name string, parts ...func(workflow.Context) error) error {
	p := contract.DrillPhase{Name: name, Started: workflow.Now(ctx)}
	for _, part := range parts {
		if err := part(ctx); err != nil {
			return err
		}
	}
	p.Finished = workflow.Now(ctx)
	d.findings.Phases = append(d.findings.Phases, p)
	return nil
}

func (d *drill) read(ctx workflow.Context) error {
	return d.measure(ctx, "read", d.openArchive, d.verifyBytes, d.planRestore, d.isolate)
}

func (d *drill) makeVolumes(ctx workflow.Context) error {
	return d.measure(ctx, "volumes", d.restoreVolumes)
}

func (d *drill) applyObjects(ctx workflow.Context) error {
	return d.measure(ctx, "objects", d.applyLevels, d.relinkOwners, d.accountObjects)
}

func (d *drill) verifyBytes(ctx workflow.Context) error {
	d.findings.Ref.Restore = d.archive.Ref
	d.setStep(ctx, "reading every byte of the backup")
	res, err := runActivity(withDurableOptions(ctx, "verify bytes"), contract.VerifyDrillBytes, d.check())
	if err == nil {
		d.findings.Bytes = &res
	}
	return err
}

func (d *drill) check() contract.CheckDrillInput {
	return contract.CheckDrillInput{Ref: d.findings.Ref}
}

func (d *drill) isolate(ctx workflow.Context) error {
	d.setStep(ctx, "making the namespaces of the copy, closed to the outside")
	_, err := runActivity(withDurableOptions(ctx, "isolate"), contract.IsolateDrill,
		contract.IsolateDrillInput{Ref: d.findings.Ref, Budget: d.input.Spec.Budget})
	return err
}

func (d *drill) accountObjects(ctx workflow.Context) error {
	d.setStep(ctx, "comparing each object with the backup")
	res, err := runActivity(withDurableOptions(ctx, "account"), contract.AccountDrill, d.check())
	if err == nil {
		d.findings.Objects = &res
	}
	return err
}

// awaitReady waits until workloads are ready and their volumes mounted, or their time is over:
// what is not ready then is a finding, and no error. It looks once where nothing that is asked for
// needs them.
func (d *drill) awaitReady(ctx workflow.Context) error {
	d.findings.Unawaited = d.needsNoPods(ctx)
	d.hookWait = d.startTime()
	return d.measure(ctx, "ready", d.runRestoreHooks, d.patchVolumes, d.pollReady)
}

// needsNoPods says that the objects are all that the drill is asked for. Runs of earlier versions waited
// for pods all the same.
func (d *drill) needsNoPods(ctx workflow.Context) bool {
	return !d.input.Spec.NeedsReady() && workflow.GetVersion(ctx, "drills to L2 wait for no pods", workflow.DefaultVersion, 1) == 1
}

// startTime is how long pods may take until they run.
func (d *drill) startTime() time.Duration {
	if d.findings.Unawaited {
		return min(d.findings.Plan.Ready, briefStart)
	}
	return d.findings.Plan.Ready
}

func (d *drill) pollReady(ctx workflow.Context) error {
	began := workflow.Now(ctx)
	for wait := firstPollWait; ; wait = growBriskWait(wait) {
		res, err := runActivity(withDurableOptions(ctx, "look at workloads"), contract.CheckDrillReady, d.check())
		if err != nil {
			return err
		}
		d.findings.Ready = &res
		left := d.findings.Plan.Ready - workflow.Now(ctx).Sub(began)
		if res.Done() || left <= 0 || d.findings.Unawaited {
			return nil
		}
		d.setStep(ctx, fmt.Sprintf("waiting until workloads are ready: %d of %d", res.Workloads.Good, res.Workloads.Checked))
		d.Waits = cmp.Or(res.Workloads.Detail, res.Volumes.Detail) // the cause, which may last: somebody may know
		d.showDetails(ctx)
		if err := workflow.Sleep(ctx, min(wait, left)); err != nil {
			return err
		}
	}
}

func (d *drill) assertInput() contract.AssertDrillInput {
	return contract.AssertDrillInput{Ref: d.findings.Ref, Assertions: d.input.Spec.Assertions, Probe: d.input.Spec.Probe}
}

func (d *drill) assert(ctx workflow.Context) error {
	if d.findings.Plan.Assertions == 0 {
		return nil
	}
	return d.measure(ctx, "assertions", func(ctx workflow.Context) error {
		d.setStep(ctx, fmt.Sprintf("trying %d assertions", d.findings.Plan.Assertions))
		res, err := runActivity(withDurableOptions(withWorkTime(ctx, d.findings.Plan.Most), "try assertions"), contract.RunDrillAssertions, d.assertInput())
		d.findings.Assertions = res.Results
		return err
	})
}

// readVolumes has the volumes read through. What cannot be read is a finding, and what takes too
// long has no second RTO.
func (d *drill) readVolumes(ctx workflow.Context) error {
	in := contract.ReadVolumesInput{Ref: d.findings.Ref, Start: d.startTime(), Outside: d.input.Spec.Network.Outside}
	p := contract.DrillPhase{Name: "readThrough", Started: workflow.Now(ctx)}
	for wait := firstPollWait; ; wait = growBriskWait(wait) {
		res, err := runActivity(withDurableOptions(ctx, "read volumes through"), contract.ReadDrillVolumes, in)
		if err != nil {
			return err
		}
		d.findings.Reading = &res
		p.Finished = workflow.Now(ctx)
		left := d.findings.Plan.Read - p.Finished.Sub(p.Started)
		if res.Going == 0 || left <= 0 {
			break
		}
		d.setStep(ctx, fmt.Sprintf("reading the volumes through: %d of %d", res.Through, res.Data))
		if err := workflow.Sleep(ctx, min(wait, left)); err != nil {
			return err
		}
	}
	if r := d.findings.Reading; r.Data > 0 && r.Through == r.Data {
		d.findings.Phases = append(d.findings.Phases, p)
	}
	return nil
}

// control plants faults, which the checks have to find. What it breaks is not looked at again, and
// nothing is broken of a copy that is to be kept.
func (d *drill) control(ctx workflow.Context) error {
	d.setStep(ctx, "planting faults that the checks have to find")
	in := d.assertInput()
	in.Keep = d.keep > 0
	res, err := runActivity(withDurableOptions(withWorkTime(ctx, d.findings.Plan.Most), "plant faults"), contract.RunDrillControl, in)
	d.findings.Control = res
	return err
}

// end removes the copy, or keeps it for a while, and leaves the evidence. Nothing stops it.
func (d *drill) end(ctx workflow.Context, cause error) (contract.DrillResult, error) {
	cancelled := ctx.Err() != nil
	detached, cancel := workflow.NewDisconnectedContext(withPromptQueue(ctx))
	defer cancel()
	if d.keep > 0 && !cancelled && d.hasCopy(detached) {
		return d.keepCopy(ctx, detached)
	}
	if cause != nil {
		d.setStep(detached, "removing the copy after: "+errorMessage(cause))
	} else {
		d.setStep(detached, "removing the copy")
	}
	tornDown := d.tearDown(detached)
	res, signed := d.sign(detached)
	return res, firstError(tornDown, signed, d.clear(detached))
}

// hasCopy says that there is something to keep: the namespaces of the copy were made. Runs of earlier
// versions kept what a refused drill had not made, and the next drills waited for that.
func (d *drill) hasCopy(ctx workflow.Context) bool {
	if d.findings.Ref.Restore.Name == "" || len(d.findings.Phases) > 0 {
		return d.findings.Ref.Restore.Name != ""
	}
	return workflow.GetVersion(ctx, "only a copy that was made is kept", workflow.DefaultVersion, 1) == workflow.DefaultVersion
}

// firstError is the first of several, as it is: Temporal looks at the outermost error.
func firstError(all ...error) error {
	for _, err := range all {
		if err != nil {
			return err
		}
	}
	return nil
}

// keepCopy writes the evidence at once, and removes the copy when its time is over, when
// somebody asks to stop, or when the run is cancelled.
func (d *drill) keepCopy(ctx, detached workflow.Context) (contract.DrillResult, error) {
	until := workflow.Now(ctx).Add(d.keep)
	d.findings.Teardown.Kept = until
	res, signed := d.sign(detached)
	for signed == nil {
		d.setStep(detached, "the copy is kept until "+until.UTC().Format(time.RFC3339)+d.brokenText())
		d.heard = false
		heard, err := workflow.AwaitWithTimeout(ctx, until.Sub(workflow.Now(ctx)), func() bool { return d.heard })
		if err != nil || !heard || d.keep == 0 {
			break
		}
		until = workflow.Now(ctx).Add(d.keep)
	}
	d.setStep(detached, "removing the copy that was kept")
	err := firstError(signed, d.tearDown(detached))
	if left := d.findings.Teardown.Left; err == nil && len(left) > 0 {
		err = temporal.NewNonRetryableApplicationError(fmt.Sprintf("the copy that was kept is not gone: %s %s: %s", left[0].Type, left[0].Name, left[0].Detail), "TeardownIncomplete", nil)
	}
	return res, firstError(err, d.clear(detached))
}

// brokenText says of a copy that somebody asked to keep too late what became of it.
func (d *drill) brokenText() string {
	if len(d.findings.Control.Faults) == 0 || d.findings.Control.Spared {
		return ""
	}
	return "; the planted faults have stopped its workloads: ask earlier to keep one that runs"
}

// tearDown removes the copy, and notes what is left of it.
func (d *drill) tearDown(ctx workflow.Context) error {
	t := &d.findings.Teardown
	t.Started = workflow.Now(ctx)
	made, left, err := d.remove(ctx, contract.TearDownDrill)
	t.Finished = workflow.Now(ctx)
	if err == nil { // else nobody has looked what is left
		t.Scan, t.Left, t.Unlooked = contract.LeakScan(made, left), left.Names, left.Unlooked
	}
	return err
}

// remove asks for things to go until they are gone, or the time for that is over. It tells how
// many of each type there were, and what is left.
func (d *drill) remove(ctx workflow.Context, by contract.Activity[contract.TearDownInput, contract.DrillRemains]) (made map[string]int, left contract.DrillRemains, err error) {
	made, began := map[string]int{}, workflow.Now(ctx)
	for wait := firstPollWait; ; wait = growBriskWait(wait) {
		in := contract.TearDownInput{Ref: d.findings.Ref, Disks: left.Disks}
		if left, err = runActivity(withDurableOptions(ctx, "remove"), by, in); err != nil {
			return made, left, err
		}
		for _, t := range left.Types {
			made[t.Type] = max(made[t.Type], t.Found)
		}
		rest := teardownTime - workflow.Now(ctx).Sub(began)
		if left.Total() == 0 || rest <= 0 {
			return made, left, nil
		}
		if err := workflow.Sleep(ctx, min(wait, rest)); err != nil {
			return made, left, err
		}
	}
}

// sign writes and signs the evidence, and tells of it.
func (d *drill) sign(ctx workflow.Context) (contract.DrillResult, error) {
	d.findings.Finished = workflow.Now(ctx)
	res, err := runActivity(withDurableOptions(ctx, "sign the evidence"), contract.SignDrill, d.findings)
	if err != nil {
		d.tellUnsigned(ctx, err)
		return res, err
	}
	res.Warnings = d.notify(ctx, contract.NotifyDrillInput{Result: res})
	return res, nil
}

// notify tells all who are to be told how the drill ended, at the same time. Who cannot be told
// does not fail it: the result says so.
func (d *drill) notify(ctx workflow.Context, in contract.NotifyDrillInput) (warnings []string) {
	told := make([]workflow.Future, len(d.input.Spec.Notifications))
	for i, n := range d.input.Spec.Notifications {
		limited := workflow.WithScheduleToCloseTimeout(withDurableOptions(ctx, "notify "+n.Name), notifyTime)
		in.Notification = n
		told[i] = workflow.ExecuteActivity(limited, contract.NotifyDrill.Name, in)
	}
	for i, f := range told {
		if err := f.Get(ctx, nil); err != nil {
			warnings = append(warnings, fmt.Sprintf("notification %s: %s", d.input.Spec.Notifications[i].Name, errorMessage(err)))
		}
	}
	return warnings
}

// clear removes the working files, and disks that nobody uses.
func (d *drill) clear(ctx workflow.Context) error {
	ref := d.archive.Ref
	if ref.Name == "" { // it is looked for where the backup is
		ref = contract.RestoreRef{Name: d.in.Name, UID: d.run.RunID, Location: d.in.Location}
	}
	_, err := runActivity(withDurableOptions(ctx, "clear working files"), contract.AbandonRestore, contract.AbandonRestoreInput{Ref: ref})
	return err
}
