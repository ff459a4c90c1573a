package drill

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/drill/evidence"
)

// maxFileBytes is a little more than evidence reads: a longer file is refused there.
const maxFileBytes = 9 << 20

// Report is what files of evidence prove together.
type Report struct {
	Files []File         `json:"files"`
	Gaps  []evidence.Gap `json:"gaps,omitempty"`
	// Earlier is how many drills of a chain came before the first file, by the chain's name.
	Earlier map[string]evidence.Count `json:"earlier,omitempty"`
}

// File is what one file proves. Without Valid all but File and Error is empty.
type File struct {
	File     string           `json:"file"`
	Valid    bool             `json:"valid"`
	Error    string           `json:"error,omitempty"`
	Digest   evidence.Digest  `json:"sha256,omitempty"`
	Signer   evidence.Digest  `json:"signer,omitempty"`
	Chain    string           `json:"chain,omitempty"`
	Sequence evidence.Count   `json:"sequence,omitempty"`
	Drill    string           `json:"drill,omitempty"`
	Backup   string           `json:"backup,omitempty"`
	Asked    evidence.Moment  `json:"asked,omitempty"`
	Verdict  evidence.Verdict `json:"verdict,omitempty"`
	Level    evidence.Level   `json:"level,omitempty"`
	RTO      evidence.Millis  `json:"rtoMs,omitempty"`
	RPO      evidence.Millis  `json:"rpoMs,omitempty"`
}

// Refused is true if one of the files proves nothing.
func (r Report) Refused() bool {
	for _, f := range r.Files {
		if !f.Valid {
			return true
		}
	}
	return false
}

// Verify checks files with the signers' public keys, and what is missing between them. A file
// that is refused is a line of the report; the error is one of reading files or keys.
func Verify(names, keyFiles []string, now time.Time) (Report, error) {
	keys, err := readKeys(keyFiles)
	if err != nil {
		return Report{}, err
	}
	var out Report
	var good []evidence.Evidence
	for _, name := range names {
		content, err := readFile(name)
		if err != nil {
			return Report{}, err
		}
		e, err := evidence.Verify(content, keys)
		if err != nil {
			out.Files = append(out.Files, File{File: name, Error: err.Error()})
			continue
		}
		good = append(good, e)
		out.Files = append(out.Files, newFile(name, e))
	}
	out.Gaps = evidence.CheckChain(good, now)
	out.Earlier = earlier(good)
	return out, nil
}

func newFile(name string, e evidence.Evidence) File {
	p := e.Statement.Predicate
	f := File{
		File: name, Valid: true, Digest: e.Digest, Signer: e.Signer,
		Chain: p.Chain.Name, Sequence: p.Chain.Sequence, Drill: p.Drill.Name, Backup: p.Source.Backup.Name,
		Asked: p.Drill.Asked, Verdict: p.Claim.Verdict, Level: p.Claim.Level, RTO: p.TimeToProof(), RPO: p.Measured.RPO.Worst(),
	}
	return f
}

func earlier(files []evidence.Evidence) map[string]evidence.Count {
	out := map[string]evidence.Count{}
	for _, e := range files {
		chain := e.Statement.Predicate.Chain
		if n, ok := out[chain.Name]; !ok || chain.Sequence-1 < n {
			out[chain.Name] = chain.Sequence - 1
		}
	}
	return out
}

func readKeys(names []string) ([]ed25519.PublicKey, error) {
	if len(names) == 0 {
		return nil, errors.New("--key: give the public key of whoever signs the drills, as 'lifeboat drill keygen' wrote it: without it a file may be anybody's")
	}
	var out []ed25519.PublicKey
	for _, name := range names {
		text, err := readFile(name)
		if err != nil {
			return nil, fmt.Errorf("--key: %w", err)
		}
		key, err := evidence.ParsePublicKey(text)
		if err != nil {
			return nil, fmt.Errorf("--key %s: %w", name, err)
		}
		out = append(out, key)
	}
	return out, nil
}

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(io.LimitReader(f, maxFileBytes))
	return content, errors.Join(err, f.Close())
}

// Summary says in a few lines what the report comes to.
func (r Report) Summary() string {
	var out strings.Builder
	for _, f := range r.Files {
		if !f.Valid {
			fmt.Fprintf(&out, "refused: %s: %s\n", f.File, f.Error)
		}
	}
	for _, g := range r.Gaps {
		fmt.Fprintf(&out, "gap: chain %s: %s\n", g.Chain, g.Detail)
	}
	for _, f := range r.Files {
		if n := r.Earlier[f.Chain]; f.Valid && n > 0 && f.Sequence == n+1 {
			fmt.Fprintf(&out, "chain %s begins here with drill %d: the evidence of %d before it was not given\n", f.Chain, n+1, n)
		}
	}
	switch {
	case r.Refused():
		out.WriteString("Not every file is genuine: ask whoever gave it to you for the original.\n")
	case len(r.Gaps) > 0:
		out.WriteString("Every file is genuine, but the chain has gaps: ask for what is missing, and why.\n")
	default:
		out.WriteString("Every file is genuine, and the chain has no gap.\n")
	}
	return out.String()
}
