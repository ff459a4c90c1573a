package repository

import (
	"context"
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// Words of a key's verdict.
const (
	verdictGood    = "good"
	verdictCorrupt = "corrupt"
)

// uidDigest stands for a UID in a key, whatever the UID is made of.
func uidDigest(uid string) string { return archive.Digest([]byte(uid))[:16] }

// Verdict is what the key of a verification tells, so that a listing needs no document.
type Verdict struct {
	Key     string
	At      time.Time
	Corrupt bool
	backup  string
	uid     string // its digest
}

// VerdictKey is the key of what a verification of the backup of that UID has found.
func VerdictKey(backup, uid string, at time.Time, corrupt bool) string {
	word := verdictGood
	if corrupt {
		word = verdictCorrupt
	}
	return fmt.Sprintf("%s%s-%010d-%s.json", layout.VerificationDir(backup), uidDigest(uid), at.Unix(), word)
}

// NewestVerdict is that of the last verification of the backup of that name and UID; its key is
// empty where there is none.
func NewestVerdict(ctx context.Context, st store.Store, backup, uid string) (newest Verdict, err error) {
	err = st.List(ctx, layout.VerificationDir(backup), func(i store.Info) error {
		if d, ok := parseVerdict(i.Key); ok && d.isOf(backup, uid) && d.isNewer(newest) {
			newest = d
		}
		return nil
	})
	if err != nil {
		return Verdict{}, fmt.Errorf("list verifications of %s: %w", backup, err)
	}
	return newest, nil
}

var verdictPattern = regexp.MustCompile(`^([0-9a-f]{16})-([0-9]{10})-(` + verdictGood + `|` + verdictCorrupt + `)\.json$`)

// clockSkew is how far ahead of ours the clock of another worker may be. What was verified
// later than that was not verified.
const clockSkew = 10 * time.Minute

// parseVerdict reads a key, which anybody may have written.
func parseVerdict(key string) (Verdict, bool) {
	dir, file := path.Split(key)
	backup := strings.TrimSuffix(strings.TrimPrefix(dir, layout.VerificationRoot), "/")
	m := verdictPattern.FindStringSubmatch(file)
	if m == nil || dir != layout.VerificationDir(backup) || archive.ValidateBackupName(backup) != nil {
		return Verdict{}, false
	}
	seconds, err := strconv.ParseInt(m[2], 10, 64)
	at := time.Unix(seconds, 0).UTC()
	if err != nil || at.After(time.Now().Add(clockSkew)) {
		return Verdict{}, false
	}
	return Verdict{Key: key, backup: backup, uid: m[1], At: at, Corrupt: m[3] == verdictCorrupt}, true
}

func (d Verdict) isOf(backup, uid string) bool { return d.backup == backup && d.uid == uidDigest(uid) }

// isNewer also prefers, of two of one second, the one that has found something.
func (d Verdict) isNewer(than Verdict) bool {
	return than.Key == "" || d.At.After(than.At) || d.At.Equal(than.At) && d.Corrupt
}

// verdicts are the newest ones, by the backup's name and the digest of its UID.
type verdicts map[[2]string]Verdict

// readVerdicts reads the verdicts of the backups behind the name after, up to the name last,
// "" for no bound. It costs a request for every thousand.
func readVerdicts(ctx context.Context, st store.Store, after, last string) (verdicts, error) {
	ahead, err := readAhead(ctx, st, layout.VerificationRoot, startBehind(layout.VerificationRoot, after))
	if err != nil {
		return nil, fmt.Errorf("list verifications: %w", err)
	}
	return verdictsOf(ctx, st, ahead, last)
}

// startBehind is the key behind all of what lies in a directory of directories under a name.
func startBehind(root, name string) string {
	if name == "" {
		return root
	}
	return root + name + "0" // "0" follows "/"
}

// verdictsOf takes the verdicts of the backups up to the name last.
func verdictsOf(ctx context.Context, st store.Store, ahead keysAhead, last string) (verdicts, error) {
	all := verdicts{}
	err := ahead.each(ctx, st, func(i store.Info) error {
		d, ok := parseVerdict(i.Key)
		if ok && last != "" && d.backup+"/" > last+"/" {
			return errPageFull
		}
		if of := [2]string{d.backup, d.uid}; ok && d.isNewer(all[of]) {
			all[of] = d
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list verifications: %w", err)
	}
	return all, nil
}

// mark notes in entries what is known of their backups.
func (all verdicts) mark(entries []BackupEntry) {
	for i := range entries {
		e := &entries[i]
		if d, ok := all[[2]string{e.Name, uidDigest(e.UID)}]; ok {
			e.Verified, e.Corrupt = d.At, d.Corrupt
		}
	}
}

// CorruptBackups tells which backups of a location were found to be corrupt: what is chosen of
// many leaves them out.
func CorruptBackups(ctx context.Context, st store.Store) (func(name, uid string) bool, error) {
	all, err := readVerdicts(ctx, st, "", "")
	return func(name, uid string) bool { return all[[2]string{name, uidDigest(uid)}].Corrupt }, err
}
