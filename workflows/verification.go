package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

const (
	// verifyEvery is how long a backup that comes first may wait behind what an earlier plan
	// has put before it.
	verifyEvery = time.Hour
	// verifyAttempts bounds how long a location that does not answer is waited for: some ten
	// minutes. The next round tries again.
	verifyAttempts = 20
	// verifiedInResult bounds the backups that a result names.
	verifiedInResult = 100
)

// VerifyBackups reads backups back, one after the other, those first whose time comes first. A
// backup that is corrupt is a finding and no error; one that cannot be read keeps no other.
func VerifyBackups(ctx workflow.Context, in contract.VerifyBackupsInput) (contract.VerificationResult, error) {
	ctx = withPriority(ctx, quietPriority)
	p, err := newProgress(ctx, "Verify backups", "verification", "Verifying")
	if err != nil {
		return contract.VerificationResult{}, err
	}
	if in.Since.IsZero() {
		in.Since = workflow.Now(ctx)
	}
	v := &verifications{progress: p, in: in, done: in.Done}
	p.Bytes = v.done.Bytes
	for !v.ended {
		if err := v.carryOut(ctx); err != nil {
			return v.done, v.setFailure(ctx, stopError(ctx, err))
		}
		if !v.ended && workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			v.in.Done = v.done
			return v.done, workflow.NewContinueAsNewError(ctx, contract.VerifyBackupsWorkflow, v.in)
		}
	}
	v.setStep(ctx, "done")
	return v.done, v.setPhase(ctx, "Completed")
}

// verifications is one run.
type verifications struct {
	*progress
	in    contract.VerifyBackupsInput
	done  contract.VerificationResult
	now   time.Time // of the plan
	ended bool
}

// carryOut carries out one plan, or as much of it as an hour allows.
func (v *verifications) carryOut(ctx workflow.Context) error {
	v.setStep(ctx, "looking which backups are to be verified")
	v.now = workflow.Now(ctx)
	ask := contract.PlanVerificationInput{Now: v.now, Names: v.in.Names, Location: v.in.Location}
	if v.in.All {
		ask.NotSince = v.in.Since
	}
	plan, err := runActivity(withDurableOptions(ctx, "backups to verify"), contract.PlanVerification, ask)
	if err != nil {
		return endUnplanned(ctx, v.in.Hourly, err, v.endRound, &v.ended)
	}
	v.done.Late, v.done.MoreLate, v.done.Needs, v.done.Unread = plan.Late, plan.MoreLate, plan.Needs, plan.Unread
	before := v.done.Verified + v.done.Corrupt
	left, err := v.verifyAll(ctx, plan.Due, plan.MoreDue)
	if err != nil {
		return err
	}
	if len(v.in.Names) > 0 {
		v.in.Names = v.in.Names[len(plan.Due)-left:]
		v.ended = len(v.in.Names) == 0
		return nil
	}
	if left+plan.MoreDue > 0 && v.done.Verified+v.done.Corrupt > before {
		return nil // the next plan has the rest
	}
	return v.endRound(ctx)
}

// verifyAll verifies what a plan says, and returns how many of it are left when an hour is over.
// The rest of a location that could not be read is left for the next round.
func (v *verifications) verifyAll(ctx workflow.Context, rows []contract.VerificationRow, more int) (left int, err error) {
	unreadable := map[string]bool{}
	for i, row := range rows {
		if workflow.Now(ctx).Sub(v.now) >= verifyEvery {
			return len(rows) - i, nil
		}
		v.setStep(ctx, fmt.Sprintf("verifying backup %s, %d more", row.Name, len(rows)-i-1+more))
		if unreadable[row.Location] && len(v.in.Names) == 0 {
			continue
		}
		res, err := v.verifyOne(ctx, row)
		if err != nil {
			return 0, err
		}
		unreadable[row.Location] = res.Outcome == contract.VerificationFailed
	}
	return 0, nil
}

// verifyOne verifies one backup. Its error is a cancel: what else goes wrong is part of the
// result, and the backup stays due.
func (v *verifications) verifyOne(ctx workflow.Context, row contract.VerificationRow) (contract.VerifiedBackup, error) {
	in := contract.VerifyStoredInput{Name: row.Name, Location: row.Location, UID: row.UID, Asked: v.now}
	res, err := runActivity(withVerifyOptions(ctx, row), contract.VerifyStoredBackup, in)
	if ctx.Err() != nil {
		return res, ctx.Err()
	}
	if err != nil {
		res = contract.VerifiedBackup{Name: row.Name, Location: row.Location, Outcome: contract.VerificationFailed, Note: errorMessage(err)}
	}
	v.count(res)
	return res, nil
}

func (v *verifications) count(res contract.VerifiedBackup) {
	v.done.Bytes += res.Bytes
	v.Bytes += res.Bytes
	switch res.Outcome {
	case contract.VerificationGood:
		v.done.Verified++
	case contract.VerificationCorrupt:
		v.done.Corrupt++
		v.Errors++
	case contract.VerificationFailed:
		v.done.Failed++
		v.Warnings++
	}
	asked := v.in.All || len(v.in.Names) > 0
	if (asked || res.Outcome != contract.VerificationGood) && len(v.done.Backups) < verifiedInResult {
		v.done.Backups = append(v.done.Backups, res)
	}
}

// endRound waits for the next round, if there is one today.
func (v *verifications) endRound(ctx workflow.Context) error {
	v.done.Rounds++
	next := workflow.Now(ctx).Add(verifyEvery).UTC()
	if v.ended = !v.in.Hourly || next.YearDay() != v.in.Since.UTC().YearDay(); v.ended {
		return nil
	}
	v.setStep(ctx, fmt.Sprintf("waiting; %d backups verified, %d of them corrupt, %d could not be read", v.done.Verified+v.done.Corrupt, v.done.Corrupt, v.done.Failed))
	return workflow.Sleep(ctx, verifyEvery)
}

// withVerifyOptions give a large backup the time that it takes in the bandwidth, twice.
func withVerifyOptions(ctx workflow.Context, row contract.VerificationRow) workflow.Context {
	ctx = withDurableOptions(withWorkTime(ctx, 2*time.Duration(row.Seconds)*time.Second), row.Name)
	retry := *workflow.GetActivityOptions(ctx).RetryPolicy
	retry.MaximumAttempts = verifyAttempts
	return workflow.WithRetryPolicy(ctx, retry)
}
