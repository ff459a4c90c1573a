package repository

import (
	"context"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
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
	// Document is the digest of the Backup document, which no manifest covers: the first
	// verification takes it as it is, the next ones compare.
	Document string `json:"document,omitempty"`
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

func cutText(s string) string {
	if len(s) <= longestFinding {
		return s
	}
	return strings.ToValidUTF8(s[:longestFinding], "") + "..."
}

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

// Words of a key's verdict.
const (
	verdictGood    = "good"
	verdictCorrupt = "corrupt"
)

func (v *Verification) key() string {
	word := verdictGood
	if v.IsCorrupt() {
		word = verdictCorrupt
	}
	return fmt.Sprintf("%s%s-%010d-%s.json", archive.VerificationDir(v.Name), uidDigest(v.UID), v.At.Unix(), word)
}

// uidDigest stands for a UID in a key, whatever the UID is made of.
func uidDigest(uid string) string { return archive.Digest([]byte(uid))[:16] }

// Write writes v and removes what earlier verifications of a backup of the name have left. It
// may repeat. What a lock protects stays, and does not count.
func (v *Verification) Write(ctx context.Context, st store.Store) error {
	v.At = v.At.UTC().Truncate(time.Second)
	if err := PutJSON(ctx, st, v.key(), v, store.PutOptions{}); err != nil {
		return err
	}
	return removeVerifications(ctx, st, v.Name, v.key())
}

// removeVerifications removes all that verifications of a backup have left but the key kept.
func removeVerifications(ctx context.Context, st store.Store, backup, kept string) error {
	var old []string
	err := st.List(ctx, archive.VerificationDir(backup), func(i store.Info) error {
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
	var newest verdict
	err := st.List(ctx, archive.VerificationDir(backup), func(i store.Info) error {
		if d, ok := parseVerdict(i.Key); ok && d.isOf(backup, uid) && d.isNewer(newest) {
			newest = d
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list verifications of %s: %w", backup, err)
	}
	if newest.key == "" {
		return nil, nil //nolint:nilnil // no verification is no error
	}
	var v Verification
	err = GetJSON(ctx, st, newest.key, &v)
	switch {
	case errors.Is(err, store.ErrNotFound), errors.Is(err, archive.ErrHostile), errors.Is(err, archive.ErrCorrupt),
		err == nil && (v.Name != backup || v.UID != uid || v.key() != newest.key):
		return newest.withoutDocument(uid), nil
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

// verdict is what the key of a verification tells.
type verdict struct {
	key     string
	backup  string
	uid     string // its digest
	at      time.Time
	corrupt bool
}

var verdictPattern = regexp.MustCompile(`^([0-9a-f]{16})-([0-9]{10})-(` + verdictGood + `|` + verdictCorrupt + `)\.json$`)

// clockSkew is how far ahead of ours the clock of another worker may be. What was verified
// later than that was not verified.
const clockSkew = 10 * time.Minute

// parseVerdict reads a key, which anybody may have written.
func parseVerdict(key string) (verdict, bool) {
	dir, file := path.Split(key)
	backup := strings.TrimSuffix(strings.TrimPrefix(dir, archive.VerificationRoot), "/")
	m := verdictPattern.FindStringSubmatch(file)
	if m == nil || dir != archive.VerificationDir(backup) || archive.ValidateBackupName(backup) != nil {
		return verdict{}, false
	}
	seconds, err := strconv.ParseInt(m[2], 10, 64)
	at := time.Unix(seconds, 0).UTC()
	if err != nil || at.After(time.Now().Add(clockSkew)) {
		return verdict{}, false
	}
	return verdict{key: key, backup: backup, uid: m[1], at: at, corrupt: m[3] == verdictCorrupt}, true
}

func (d verdict) isOf(backup, uid string) bool { return d.backup == backup && d.uid == uidDigest(uid) }

// isNewer also prefers, of two of one second, the one that has found something.
func (d verdict) isNewer(than verdict) bool {
	return than.key == "" || d.at.After(than.at) || d.at.Equal(than.at) && d.corrupt
}

// withoutDocument is what a verification has found whose document is damaged.
func (d verdict) withoutDocument(uid string) *Verification {
	v := &Verification{Name: d.backup, UID: uid, At: d.at}
	if d.corrupt {
		v.AddDamage("the backup", "a verification has found it corrupt, and what it wrote of that ("+d.key+") cannot be read: verify the backup again")
	}
	return v
}

// verdicts are the newest ones, by the backup's name and the digest of its UID.
type verdicts map[[2]string]verdict

// readVerdicts reads the verdicts of the backups behind the name after, up to the name last,
// "" for no bound. It costs a request for every thousand.
func readVerdicts(ctx context.Context, st store.Store, after, last string) (verdicts, error) {
	all := verdicts{}
	from := archive.VerificationRoot
	if after != "" {
		from += after + "0" // which comes behind all of "<after>/"
	}
	err := st.ListAfter(ctx, archive.VerificationRoot, from, func(i store.Info) error {
		d, ok := parseVerdict(i.Key)
		if ok && last != "" && d.backup+"/" > last+"/" {
			return errPageFull
		}
		if of := [2]string{d.backup, d.uid}; ok && d.isNewer(all[of]) {
			all[of] = d
		}
		return nil
	})
	if err = noPageFull(err); err != nil {
		return nil, fmt.Errorf("list verifications: %w", err)
	}
	return all, nil
}

// mark notes in entries what is known of their backups.
func (all verdicts) mark(entries []BackupEntry) {
	for i := range entries {
		e := &entries[i]
		if d, ok := all[[2]string{e.Name, uidDigest(e.UID)}]; ok {
			e.Verified, e.Corrupt = d.at, d.corrupt
		}
	}
}

// CorruptBackups tells which backups of a location were found to be corrupt: what is chosen of
// many leaves them out.
func CorruptBackups(ctx context.Context, st store.Store) (func(name, uid string) bool, error) {
	all, err := readVerdicts(ctx, st, "", "")
	return func(name, uid string) bool { return all[[2]string{name, uidDigest(uid)}].corrupt }, err
}
