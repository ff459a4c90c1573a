package show

import (
	"fmt"
	"io"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// Verification writes what a verification has found, and what to do next.
func Verification(w io.Writer, res contract.VerificationResult) error {
	var rows [][]string
	for _, b := range res.Backups {
		rows = append(rows, []string{b.Name, b.Location, b.Outcome, Bytes(b.Bytes), fmt.Sprint(b.Snapshots), verificationNote(b)})
	}
	if len(rows) > 0 {
		if err := Table(w, []string{"NAME", "STORAGE LOCATION", "OUTCOME", "READ", "SNAPSHOTS", "FOUND"}, rows); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%s verified, %s corrupt, %s could not be read; %s read.\n",
		Plural(int64(res.Verified+res.Corrupt), "backup"), Count(int64(res.Corrupt)), Count(int64(res.Failed)), Bytes(res.Bytes))
	for _, b := range res.Backups {
		if err == nil && b.Outcome == contract.VerificationCorrupt {
			_, err = fmt.Fprintf(w, "Next: lifeboat backup describe %s, which tells all that was found; restore another backup, and take a new one\n", Clean(b.Name))
			break
		}
	}
	return err
}

// verificationNote is the first finding, or what could not be checked.
func verificationNote(b contract.VerifiedBackup) string {
	text, more := b.Note, 0
	switch {
	case len(b.Damage) > 0:
		text, more = b.Damage[0].What+": "+b.Damage[0].Found, len(b.Damage)-1+b.More
	case text != "":
	case len(b.Unchecked) > 0:
		text, more = "not checked: "+b.Unchecked[0], len(b.Unchecked)-1
	case b.Outcome == contract.VerificationGood && !b.Digests:
		text = "no digests, Velero made it: its form was checked"
	}
	if more > 0 {
		text += fmt.Sprintf(", and %d more", more)
	}
	return text
}

// printVerification prints what the last verification of a backup has found.
func (p *page) printVerification(v *contract.VerifiedBackup) {
	if v == nil {
		return
	}
	p.printHeading("Verification")
	p.printValue(1, "Outcome", v.Outcome)
	p.printValue(1, "Verified", Time(v.At))
	p.printValue(1, "Read", Bytes(v.Bytes))
	if v.Digests {
		p.printValue(1, "Checked", "every byte against SHA-256")
	} else {
		p.printValue(1, "Checked", "gzip and tar; the backup has no digests")
	}
	p.printValue(1, "Snapshots found", fmt.Sprint(v.Snapshots))
	if v.Blocks > 0 {
		p.printValue(1, "Blocks read of them", fmt.Sprint(v.Blocks))
	}
	for _, u := range v.Unchecked {
		p.printValue(1, "Not checked", u)
	}
	for _, d := range v.Damage {
		p.printValue(1, "Damaged", d.What+": "+d.Found)
	}
	if v.More > 0 {
		p.printValue(1, "And more", Count(int64(v.More)))
	}
}
