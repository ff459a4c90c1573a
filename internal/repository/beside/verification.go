package beside

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// Verification is what the last verification of a backup has found. It lies beside the backup,
// which it never changes. Its key says the backup, when, and whether the backup is corrupt, so
// that a listing needs no document; the newest one counts.
type Verification struct {
	Name string    `json:"name"`
	UID  string    `json:"uid"` // of the backup: a later one of the name is not meant
	At   time.Time `json:"at"`  // when the verification ended, in seconds
	// Asked is when it was asked for, by which a repeated attempt knows its own result.
	Asked time.Time `json:"asked,omitzero"`
	// Bytes were read. Digests says that each was held against SHA-256; of Velero's backups,
	// which have no digests, only the checksums of gzip and the form were.
	Bytes   int64 `json:"bytes"`
	Digests bool  `json:"digests,omitempty"`
	// Document is the digest of the Backup document as it was read. No manifest covers it: the
	// first verification takes it as it is, if nothing contradicts it, and the next ones compare.
	// Good is the digest that it had when a verification before found it good; see GoodDocument.
	Document string `json:"document,omitempty"`
	Good     string `json:"good,omitempty"`
	// Snapshots were looked up and are there; Unchecked says of which nobody could tell.
	Snapshots int      `json:"snapshots,omitempty"`
	Blocks    int      `json:"blocks,omitempty"` // of those snapshots, that were read
	Unchecked []string `json:"unchecked,omitempty"`
	// Damage is what was found; none is a backup that can be restored as it was made.
	Damage []Damage `json:"damage,omitempty"`
	// More is how many findings Damage leaves out.
	More int `json:"more,omitempty"`
}

// Damage is a file or a snapshot of a backup that is not what it was.
type Damage struct {
	What  string `json:"what"`  // the key of the file, or the snapshot's name
	Found string `json:"found"` // what is wrong with it
}

// Bounds of a document: of the findings that it names, and of their texts, in bytes.
const (
	findingsNamed  = 100
	longestFinding = 500
)

// AddDamage adds a finding, up to a bound.
func (v *Verification) AddDamage(what, found string) {
	if len(v.Damage) >= findingsNamed {
		v.More++
		return
	}
	v.Damage = append(v.Damage, Damage{cutText(what), cutText(found)})
}

// AddUnchecked adds a snapshot of which nobody could tell, up to a bound.
func (v *Verification) AddUnchecked(text string) {
	if len(v.Unchecked) < findingsNamed {
		v.Unchecked = append(v.Unchecked, cutText(text))
	}
}

func cutText(s string) string { return report.CutText(s, longestFinding) }

// Result is v as people are told of it, with so many findings at most.
func (v *Verification) Result(location string, findings int) *contract.VerifiedBackup {
	res := &contract.VerifiedBackup{
		Name: v.Name, Location: location, Outcome: contract.VerificationGood, At: v.At, Bytes: v.Bytes, Snapshots: v.Snapshots, Blocks: v.Blocks, Digests: v.Digests,
		Unchecked: v.Unchecked[:min(len(v.Unchecked), findings)],
	}
	if v.IsCorrupt() {
		res.Outcome = contract.VerificationCorrupt
	}
	for _, d := range v.Damage[:min(len(v.Damage), findings)] {
		res.Damage = append(res.Damage, contract.Damage(d))
	}
	res.More = len(v.Damage) + v.More - len(res.Damage)
	return res
}

// IsCorrupt tells that something was found.
func (v *Verification) IsCorrupt() bool { return len(v.Damage) > 0 }

// GoodDocument is the digest that the Backup document of that key had when a verification last
// found it good, "" if none has. A damaged one never takes its place. Older versions wrote down
// the damaged one alone, which is nothing to go by.
func (v *Verification) GoodDocument(key string) string {
	if slices.ContainsFunc(v.Damage, func(d Damage) bool { return d.What == key }) {
		return v.Good
	}
	return v.Document
}

func (v *Verification) key() string { return repository.VerdictKey(v.Name, v.UID, v.At, v.IsCorrupt()) }

// Write writes v and removes what earlier verifications of a backup of the name have left. It
// may repeat. What a lock protects stays, and does not count.
func (v *Verification) Write(ctx context.Context, st store.Store) error {
	v.At = v.At.UTC().Truncate(time.Second)
	if err := repository.PutJSON(ctx, st, v.key(), v, store.PutOptions{}); err != nil {
		return err
	}
	return removeVerifications(ctx, st, v.Name, v.key())
}

// removeVerifications removes all that verifications of a backup have left but the key kept.
func removeVerifications(ctx context.Context, st store.Store, backup, kept string) error {
	var old []string
	err := st.List(ctx, layout.VerificationDir(backup), func(i store.Info) error {
		if i.Key != kept {
			old = append(old, i.Key)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("list verifications of %s: %w", backup, err)
	}
	if len(old) == 0 {
		return nil
	}
	if err := st.Delete(ctx, old...); err != nil && !errors.Is(err, store.ErrLocked) {
		return fmt.Errorf("remove old verifications of %s: %w", backup, err)
	}
	return nil
}

// ForgetVerifications removes what lies beside a backup that is gone. It may repeat.
func ForgetVerifications(ctx context.Context, st store.Store, backup string) error {
	return removeVerifications(ctx, st, backup, "")
}

// ReadVerification reads what the last verification of the backup of that name and UID has
// found, and nil if there is none, or none that can be read: it says nothing then.
func ReadVerification(ctx context.Context, st store.Store, backup, uid string) (*Verification, error) {
	newest, err := repository.NewestVerdict(ctx, st, backup, uid)
	if err != nil {
		return nil, err
	}
	if newest.Key == "" {
		return nil, nil //nolint:nilnil // no verification is no error
	}
	var v Verification
	err = repository.GetJSON(ctx, st, newest.Key, &v)
	switch {
	case errors.Is(err, store.ErrNotFound), archive.IsDamaged(err),
		err == nil && (v.Name != backup || v.UID != uid || v.key() != newest.Key):
		return withoutDocument(newest, backup, uid), nil
	case err != nil:
		return nil, err
	}
	v.bound()
	return &v, nil
}

// bound cuts what a document may hold that somebody else has written.
func (v *Verification) bound() {
	v.More = max(v.More, 0) + max(len(v.Damage)-findingsNamed, 0)
	v.Damage = v.Damage[:min(len(v.Damage), findingsNamed)]
	for i := range v.Damage {
		v.Damage[i] = Damage{cutText(v.Damage[i].What), cutText(v.Damage[i].Found)}
	}
	v.Unchecked = v.Unchecked[:min(len(v.Unchecked), findingsNamed)]
	for i := range v.Unchecked {
		v.Unchecked[i] = cutText(v.Unchecked[i])
	}
}

// withoutDocument is what a verification has found whose document is damaged.
func withoutDocument(d repository.Verdict, backup, uid string) *Verification {
	v := &Verification{Name: backup, UID: uid, At: d.At}
	if d.Corrupt {
		v.AddDamage("the backup", "a verification has found it corrupt, and what it wrote of that ("+d.Key+") cannot be read: verify the backup again")
	}
	return v
}
