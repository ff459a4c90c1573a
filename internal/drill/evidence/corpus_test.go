package evidence

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The corpus: files that both verifiers take, files that both refuse, and chains of files.
// It is made by this code and lies in testdata for whoever writes a third verifier.

const corpusDir = "testdata"

// corpusFile is one of the corpus. want is a part of the error, empty for a good file.
type corpusFile struct {
	name, want string
	content    []byte
}

func corpus(t *testing.T) []corpusFile {
	t.Helper()
	return slices.Concat(goodFiles(t), contradictions(t), wrongPayloads(t), wrongEnvelopes(t))
}

func signed(t *testing.T, s Statement, key ed25519.PrivateKey) []byte {
	t.Helper()
	file, err := Sign(s, key)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// forced signs what Sign would refuse.
func forced(t *testing.T, payload string) []byte {
	t.Helper()
	file, err := encodeFile([]byte(payload), testKey(1))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func payloadOf(t *testing.T, s Statement) string {
	t.Helper()
	payload, err := encode(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(payload)
}

func goodFiles(t *testing.T) []corpusFile {
	t.Helper()
	kept := full()
	kept.Predicate.Teardown = Teardown{Outcome: TeardownKept, KeptUntil: at(300)}
	texts := small()
	texts.Predicate.NotShown = []NotShown{{"texts", "a \"quote\", a \\, <b>&amp;</b>, tab\t, line\n, \b\f\r\x00\x1f\x7f, \u2028\u2029, \u00e9 \u65e5 \U0001F6F6 \ufffd \ufeff"}}
	early := small()
	p := &early.Predicate
	p.Measured.Phases, p.Measured.RTO = nil, nil
	p.Claim.Level, p.Claim.Levels, p.Claim.Verdict = LevelNone, levelsTo(LevelNone), Failed
	p.Claim.Failures = failuresOf(early, Aborted)
	return []corpusFile{
		{"valid-history", "", signed(t, withHistory(), testKey(1))},
		{"valid-small", "", signed(t, small(), testKey(1))},
		{"valid-full", "", signed(t, full(), testKey(1))},
		{"valid-failed", "", signed(t, failed(), testKey(1))},
		{"valid-kept", "", signed(t, kept, testKey(1))},
		{"valid-texts", "", signed(t, texts, testKey(1))},
		{"valid-early", "", signed(t, early, testKey(1))},
		{"valid-rotated-key", "", signed(t, small(), testKey(2))},
	}
}

// contradictions are well-formed and signed, and say what cannot be.
func contradictions(t *testing.T) []corpusFile {
	t.Helper()
	var out []corpusFile
	for _, c := range []struct {
		name, want string
		change     func(s *Statement, p *Predicate)
	}{
		{"type", "_type", func(s *Statement, _ *Predicate) { s.Type = "https://in-toto.io/Statement/v0.1" }},
		{"predicate-type", "predicateType", func(s *Statement, _ *Predicate) { s.PredicateType += "0" }},
		{"subject-missing", "subject: names", func(s *Statement, _ *Predicate) { s.Subject = nil }},
		{"subject-more", "subject: names", func(s *Statement, _ *Predicate) { s.Subject = append(s.Subject, s.Subject[0]) }},
		{"snapshot-twice", "twice", func(s *Statement, p *Predicate) {
			p.Source.Snapshots = []Snapshot{{s.Subject[0].Name, "a/b", "d", "h", at(-1), 1}}
			s.Subject = append(s.Subject, s.Subject[0])
		}},
		{"digest", "no SHA-256", func(s *Statement, _ *Predicate) { s.Subject[0].Digest.SHA256 = digest("x")[1:] + "A" }},
		{"empty-name", "predicate.drill.name: is empty", func(_ *Statement, p *Predicate) { p.Drill.Name = "" }},
		{"kind", "is not one of drill", func(_ *Statement, p *Predicate) { p.Drill.Kind = "test" }},
		{"day", "is no time", func(_ *Statement, p *Predicate) { p.Source.Backup.Started = "2026-02-30T00:00:00.000Z" }},
		{"zone", "is no time", func(_ *Statement, p *Predicate) { p.Drill.Finished = "2026-01-02T03:01:00.000+00:00" }},
		{"leap-second", "is no time", func(_ *Statement, p *Predicate) { p.Drill.Finished = "2026-01-02T03:01:60.000Z" }},
		{"time-with-newline", "is no time", func(_ *Statement, p *Predicate) { p.Drill.Finished += "\n" }},
		{"negative", "not between", func(_ *Statement, p *Predicate) { p.Measured.Bytes = -1 }},
		{"too-large", "not between", func(_ *Statement, p *Predicate) { p.Measured.Bytes = 1 << 53 }},
		{"levels-missing", "levels: 5 of 6", func(_ *Statement, p *Predicate) { p.Claim.Levels = p.Claim.Levels[:5] }},
		{"levels-order", "levels[0]", func(_ *Statement, p *Predicate) { slices.Reverse(p.Claim.Levels) }},
		{"level-too-high", "proven without a gap is L2", func(_ *Statement, p *Predicate) { p.Claim.Level = L3 }},
		{"level-over-gap", "proven without a gap is L0", func(_ *Statement, p *Predicate) { p.Claim.Levels[1].Outcome = LevelFailed }},
		{"level-partly-good", "2 good of 3", func(_ *Statement, p *Predicate) { p.Claim.Levels[0].Good = 2 }},
		{"level-more-than-checked", "4 good of 3", func(_ *Statement, p *Predicate) { p.Claim.Levels[4] = LevelResult{L4, LevelFailed, 3, 4, "x"} }},
		{"lost-and-l2", "L2 is not proven", func(_ *Statement, p *Predicate) {
			p.Objects = Objects{Total: 1, NotRestored: 1, Kinds: []KindCount{{Resource: "configmaps", Total: 1, NotRestored: []LostGroup{{"X", "x", false, 1, nil}}}}}
		}},
		{"l5-without-assertions", "L5 is not proven", func(_ *Statement, p *Predicate) { p.Claim.Level, p.Claim.Levels = L5, levelsTo(L5) }},
		{"verdict", "verdict", func(_ *Statement, p *Predicate) { p.Claim.Verdict = Failed }},
		{"objective-missed", "LEVEL_MISSED is missing", func(_ *Statement, p *Predicate) { p.Objective.Level = L3 }},
		{"objective-none", "none is no objective", func(_ *Statement, p *Predicate) { p.Objective.Level = LevelNone }},
		{"rto-missed", "RTO_EXCEEDED is missing", func(_ *Statement, p *Predicate) { p.Objective.RTO = 29_999 }},
		{"rpo-missed", "RPO_EXCEEDED is missing", func(_ *Statement, p *Predicate) { p.Objective.RPO = 3_599_999 }},
		{"gap-missed", "RPO_EXCEEDED is missing", func(_ *Statement, p *Predicate) { p.Objective.RPO, p.Measured.RPO.WorstGap = 3_600_000, 3_600_001 }},
		{"failure-invented", "does not follow", func(_ *Statement, p *Predicate) {
			p.Claim.Verdict, p.Claim.Failures = Failed, []Failure{{RTOExceeded, "x"}}
		}},
		{"failure-twice", "ABORTED stands there twice", func(_ *Statement, p *Predicate) {
			p.Claim.Verdict, p.Claim.Failures = Failed, []Failure{{Aborted, "x"}, {Aborted, "y"}}
		}},
		{"egress", "ISOLATION_BROKEN is missing", func(_ *Statement, p *Predicate) { p.Isolation = &Isolation{"deny", "db:5432", 1, 1, false} }},
		{"egress-more", "1 got through of 0 that tried", func(_ *Statement, p *Predicate) { p.Isolation = &Isolation{"deny", "", 0, 1, true} }},
		{"egress-nowhere", "and 1 tried to reach it", func(_ *Statement, p *Predicate) { p.Isolation = &Isolation{"deny", "", 1, 0, true} }},
		{"assertion-failed", "ASSERTION_FAILED is missing", func(_ *Statement, p *Predicate) {
			p.Assertions = []Assertion{{Name: "a", Type: "tcp", Target: "x", Operator: "succeeds", Origin: "user", Outcome: NotChecked}}
		}},
		{"assertion-differs", "held, with", func(_ *Statement, p *Predicate) {
			p.Assertions = []Assertion{{Name: "a", Type: "exec", Target: "x", Operator: Equals, Recorded: "1", Found: "2", Origin: "user", Outcome: Held}}
		}},
		{"assertion-twice", "twice", func(_ *Statement, p *Predicate) {
			a := Assertion{Name: "a", Type: "tcp", Target: "x", Operator: "succeeds", Origin: "user", Outcome: Held}
			p.Assertions = []Assertion{a, a}
		}},
		{"count-of-kind", "add up to 1", func(_ *Statement, p *Predicate) { p.Objects.Kinds[0].Total = 2 }},
		{"count-of-all", "kinds add up", func(_ *Statement, p *Predicate) { p.Objects.Total, p.Source.Backup.Objects = 2, 2 }},
		{"count-moved", "kinds add up", func(_ *Statement, p *Predicate) { p.Objects.Equal, p.Objects.Changed = 0, 1 }},
		{"count-of-manifest", "the manifest has 2", func(_ *Statement, p *Predicate) { p.Source.Backup.Objects = 2 }},
		{"kind-twice", "does not come before", func(_ *Statement, p *Predicate) {
			p.Objects.Kinds = append(p.Objects.Kinds, p.Objects.Kinds[0])
			p.Objects.Total, p.Objects.Equal, p.Source.Backup.Objects = 2, 2, 2
		}},
		{"rule-unknown", "not explained", func(_ *Statement, p *Predicate) { changeOne(p, "r") }},
		{"rule-unused", "changed no object", func(_ *Statement, p *Predicate) { p.Objects.Rules = []Rule{{"r", "x"}} }},
		{"rule-none", "none is named", func(_ *Statement, p *Predicate) { changeOne(p) }},
		{"names-too-many", "2 of them named", func(_ *Statement, p *Predicate) {
			changeOne(p, "r")
			p.Objects.Rules, p.Objects.Kinds[0].Changed[0].Objects = []Rule{{"r", "x"}}, []string{"a", "b"}
		}},
		{"group-empty", "0 objects", func(_ *Statement, p *Predicate) {
			p.Objects.Kinds[0].NotRestored = []LostGroup{{"X", "x", true, 0, nil}}
		}},
		{"neutralised-unknown", "counts no services", func(_ *Statement, p *Predicate) {
			p.Neutralised = []Neutralised{{"r", "services", "a/b", "f", "1", "2"}}
		}},
		{"phases-order", "does not come here", func(_ *Statement, p *Predicate) { slices.Reverse(p.Measured.Phases) }},
		{"phase-early", "not within the drill", func(_ *Statement, p *Predicate) { p.Measured.Phases[0].Started = at(-1) }},
		{"phase-backwards", "not within the drill", func(_ *Statement, p *Predicate) { p.Measured.Phases[0].Finished = at(-1) }},
		{"phase-late", "not within the drill", func(_ *Statement, p *Predicate) { p.Measured.Phases[1].Finished = at(2) }},
		{"drill-backwards", "before drill.asked", func(_ *Statement, p *Predicate) { p.Drill.Finished = at(-1) }},
		{"rto", "by the phases", func(_ *Statement, p *Predicate) { p.Measured.RTO.Proven-- }},
		{"rto-ready", "by the phases", func(_ *Statement, p *Predicate) { p.Measured.RTO.Ready = 1 }},
		{"rto-absent", "by the phases", func(_ *Statement, p *Predicate) { p.Measured.RTO = nil }},
		{"rpo", "from newest", func(_ *Statement, p *Predicate) { p.Measured.RPO.Age++ }},
		{"rpo-future", "rpo.ageMs", func(_ *Statement, p *Predicate) { p.Measured.RPO.Newest, p.Measured.RPO.Age = at(1), 0 }},
		{"teardown-leak", "complete is what", func(_ *Statement, p *Predicate) { p.Teardown.LeakScan[0].Found = 1 }},
		{"teardown-left", "complete is what", func(_ *Statement, p *Predicate) { p.Teardown.Left = []Leftover{{"a", "b", "c"}} }},
		{"teardown-no-scan", "complete is what", func(_ *Statement, p *Predicate) { p.Teardown.LeakScan = nil }},
		{"teardown-hidden", "TEARDOWN_INCOMPLETE is missing", func(_ *Statement, p *Predicate) {
			p.Teardown.Outcome, p.Teardown.LeakScan[0].Found = TeardownPartial, 1
		}},
		{"teardown-more", "more found", func(_ *Statement, p *Predicate) { p.Teardown.LeakScan[0].Found = 3 }},
		{"teardown-backwards", "do not belong together", func(_ *Statement, p *Predicate) { p.Teardown.Finished = at(0.4) }},
		{"teardown-nothing-left", "nothing is left", func(s *Statement, p *Predicate) {
			p.Teardown.Outcome, p.Claim.Verdict = TeardownPartial, Failed
			p.Claim.Failures = failuresOf(*s)
		}},
		{"kept-for-ever", "has a deadline", func(_ *Statement, p *Predicate) { p.Teardown = Teardown{Outcome: TeardownKept} }},
		{"kept-and-gone", "is not kept", func(_ *Statement, p *Predicate) { p.Teardown.KeptUntil = at(100) }},
		{"control-missing", "CONTROL_UNDETECTED is missing", func(_ *Statement, p *Predicate) { p.Drill.Kind = KindDrill }},
		{"control-invented", "by the faults", func(_ *Statement, p *Predicate) { p.NegativeControl.Outcome = ControlDetected }},
		{"control-check", "neither a level", func(_ *Statement, p *Predicate) {
			p.NegativeControl = NegativeControl{Outcome: ControlDetected, Faults: []Fault{{"x", "y", true, "z"}}}
		}},
		{"control-undetected", "by the faults", func(_ *Statement, p *Predicate) {
			p.NegativeControl = NegativeControl{Outcome: ControlDetected, Faults: []Fault{{"x", "L0", false, "z"}}}
		}},
		{"not-shown", "notShown", func(_ *Statement, p *Predicate) { p.NotShown = nil }},
		{"checklist-twice", "twice", func(_ *Statement, p *Predicate) {
			p.Checklist = []Check{{ID: "a", Question: "?", Answer: "yes"}, {ID: "a", Question: "?", Answer: "no"}}
		}},
		{"sequence", "counts from 1", func(_ *Statement, p *Predicate) { p.Chain.Sequence = 0 }},
		{"previous-of-first", "previous", func(_ *Statement, p *Predicate) { p.Chain.Previous = digest("x") }},
		{"previous-missing", "previous", func(_ *Statement, p *Predicate) { p.Chain.Sequence = 2 }},
		{"slot-missing", "slot", func(_ *Statement, p *Predicate) { p.Chain.Schedule = "s" }},
		{"next-slot", "does not come after", func(_ *Statement, p *Predicate) { p.Chain.Schedule, p.Chain.Slot, p.Chain.NextSlot = "s", at(0), at(0) }},
		{"missed-later", "missed", func(_ *Statement, p *Predicate) {
			p.Chain.Schedule, p.Chain.Slot, p.Chain.Missed = "s", at(0), []MissedSlot{{at(0), "x"}}
		}},
		{"missed-by-hand", "slot", func(_ *Statement, p *Predicate) { p.Chain.Missed = []MissedSlot{{at(0), "x"}} }},
		{"past-missing", "has 0 drills", func(_ *Statement, p *Predicate) { p.Chain.Sequence, p.Chain.Previous = 2, digest("x") }},
		{"past-other", "is not chain.previous", func(_ *Statement, p *Predicate) {
			p.Chain.Sequence, p.Chain.Previous, p.Past = 2, digest("x"), []Past{{1, digest("y"), at(-9), Passed, L2, 1, 1}}
		}},
		{"past-gap", "instead of", func(_ *Statement, p *Predicate) {
			p.Chain.Sequence, p.Chain.Previous = 4, digest("x")
			p.Past = []Past{{1, digest("y"), at(-9), Passed, L2, 1, 1}, {3, digest("x"), at(-9), Passed, L2, 1, 1}}
		}},
	} {
		s := small()
		c.change(&s, &s.Predicate)
		out = append(out, corpusFile{"broken-" + c.name, c.want, forced(t, payloadOf(t, s))})
	}
	return out
}

// changeOne makes the only object one that rules changed.
func changeOne(p *Predicate, rules ...string) {
	p.Objects.Equal, p.Objects.Changed = 0, 1
	p.Objects.Kinds[0].Equal, p.Objects.Kinds[0].Changed = 0, []ChangedGroup{{Rules: rules, Count: 1}}
}

// wrongPayloads are signed, and not in the one form of JSON.
func wrongPayloads(t *testing.T) []corpusFile {
	t.Helper()
	good := payloadOf(t, small())
	replaced := func(old, with string) string {
		if strings.Count(good, old) != 1 {
			t.Fatalf("%q stands %d times in the payload", old, strings.Count(good, old))
		}
		return strings.Replace(good, old, with, 1)
	}
	var out []corpusFile
	for _, c := range [][2]string{
		{"unknown-field", replaced(`"subject":`, `"more":1,"subject":`)},
		{"unknown-deep", replaced(`"software":`, `"more":"x","software":`)},
		{"case", replaced(`"software":`, `"Software":`)},
		{"key-twice", replaced(`"name":"rehearsal-b"`, `"name":"other","name":"rehearsal-b"`)},
		{"order", replaced(`"id":"d-1","name":"rehearsal-b"`, `"name":"rehearsal-b","id":"d-1"`)},
		{"space", replaced(`"software":`, `"software": `)},
		{"space-before", " " + good},
		{"newline-behind", good + "\n"},
		{"trailing", good + "{}"},
		{"cut", good[:len(good)-1]},
		{"empty", ""},
		{"null", "null"},
		{"array", "[" + good + "]"},
		{"null-field", replaced(`"software":"v0.9.0"`, `"software":null`)},
		{"null-list", replaced(`"notShown":`, `"past":null,"notShown":`)},
		{"empty-list", replaced(`,"chain":`, `,"checklist":[],"chain":`)},
		{"empty-text", replaced(`"software":`, `"run":"","software":`)},
		{"zero", replaced(`"objective":{"level":"L2"}`, `"objective":{"level":"L2","rtoMs":0}`)},
		{"float", replaced(`"goodBackups":1`, `"goodBackups":1.0`)},
		{"exponent", replaced(`"goodBackups":1`, `"goodBackups":1e0`)},
		{"minus-zero", replaced(`"worstGapMs":0`, `"worstGapMs":-0`)},
		{"number-as-text", replaced(`"goodBackups":1`, `"goodBackups":"1"`)},
		{"bool-as-number", replaced(`"goodBackups":1`, `"goodBackups":true`)},
		{"nan", replaced(`"goodBackups":1`, `"goodBackups":NaN`)},
		{"huge", replaced(`"goodBackups":1`, `"goodBackups":1`+strings.Repeat("0", 5000))},
		{"escape", replaced(`"software":"v0.9.0"`, `"software":"\u00760.9.0"`)},
		{"escape-slash", replaced(`"software":"v0.9.0"`, `"software":"v\/0.9.0"`)},
		{"escape-upper", replaced(`"software":"v0.9.0"`, `"software":"\u001F"`)},
		{"surrogate", replaced(`"software":"v0.9.0"`, `"software":"\ud800"`)},
		{"bad-utf8", replaced(`"software":"v0.9.0"`, "\"software\":\"\xff\"")},
		{"control-character", replaced(`"software":"v0.9.0"`, "\"software\":\"\x01\"")},
		{"raw-line-separator", replaced(`"software":"v0.9.0"`, "\"software\":\"\u2028\"")},
		{"bom", "\ufeff" + good},
		{"deep", strings.Repeat("[", 11_000)},
		{"object-for-list", replaced(`"notShown":[`, `"notShown":{"a":[`)},
		{"list-for-object", replaced(`"drill":{`, `"drill":[{`)},
	} {
		out = append(out, corpusFile{"payload-" + c[0], "payload: ", forced(t, c[1])})
	}
	return out
}

// wrongEnvelopes hold a good payload that is not signed as it should be.
func wrongEnvelopes(t *testing.T) []corpusFile {
	t.Helper()
	good := string(signed(t, small(), testKey(1)))
	other := string(signed(t, small(), testKey(3)))
	payload, sig := between(good, `"payload":"`), between(good, `"sig":"`)
	key, otherKey := between(good, `"keyid":"`), between(other, `"keyid":"`)
	replaced := func(old, with string) string { return strings.Replace(good, old, with, 1) }
	one := good[strings.Index(good, "[")+1 : strings.Index(good, "]")]
	var out []corpusFile
	for _, c := range [][2]string{
		{"empty", ""},
		{"newline", "\n"},
		{"null", "null\n"},
		{"object", "{}\n"},
		{"no-newline", strings.TrimSuffix(good, "\n")},
		{"two-newlines", good + "\n"},
		{"crlf", replaced("\n", "\r\n")},
		{"bom", "\ufeff" + good},
		{"twice", good + good},
		{"space", replaced(`,"payloadType"`, `, "payloadType"`)},
		{"more", replaced(`{"payload"`, `{"more":1,"payload"`)},
		{"payload-twice", replaced(`{"payload"`, `{"payload":"","payload"`)},
		{"case", replaced(`"payload":`, `"Payload":`)},
		{"type", replaced("vnd.in-toto+json", "json")},
		{"type-escaped", replaced("vnd.in-toto+json", `vnd.in-toto\u002bjson`)},
		{"no-signature", replaced("["+one+"]", "[]")},
		{"null-signatures", replaced("["+one+"]", "null")},
		{"two-signatures", replaced(one, one+","+one)},
		{"signature-more", replaced(`{"keyid"`, `{"cert":"x","keyid"`)},
		{"other-key", other},
		{"wrong-name-of-key", strings.Replace(other, otherKey, key, 1)},
		{"key-upper", replaced(key, strings.ToUpper(key))},
		{"key-empty", replaced(key, "")},
		{"key-other", replaced(key, otherKey)},
		{"payload-altered", replaced(payload, base64.StdEncoding.EncodeToString([]byte(strings.Replace(payloadOf(t, small()), "rehearsal-b", "rehearsal-c", 1))))},
		{"payload-empty", replaced(payload, "")},
		{"payload-unpadded", replaced(payload, strings.TrimRight(payload, "="))},
		{"payload-bits-behind", replaced(payload, withSpareBits(t, payload))},
		{"payload-line-break", replaced(payload, payload[:76]+`\n`+payload[76:])},
		{"payload-raw-line-break", replaced(payload, payload[:76]+"\n"+payload[76:])},
		{"payload-escaped", replaced(payload, `\u0065`+payload[1:])},
		{"signature-altered", replaced(sig, "A"+sig[1:])},
		{"signature-short", replaced(sig, sig[:84])},
		{"signature-empty", replaced(sig, "")},
		{"signature-zero", replaced(sig, base64.StdEncoding.EncodeToString(make([]byte, 64)))},
		{"signature-bits-behind", replaced(sig, sig[:85]+string(sig[85]+1)+"==")},
		{"signature-malleated", replaced(sig, malleated(t, sig))},
		{"signature-without-type", replaced(sig, base64.StdEncoding.EncodeToString(ed25519.Sign(testKey(1), []byte(payloadOf(t, small())))))},
	} {
		if c[1] == good {
			t.Fatalf("%s changes nothing", c[0])
		}
		out = append(out, corpusFile{"envelope-" + c[0], " ", []byte(c[1])})
	}
	return out
}

func between(text, before string) string {
	rest := text[strings.Index(text, before)+len(before):]
	return rest[:strings.Index(rest, `"`)]
}

// withSpareBits sets a bit of the last digit that stands for no byte. The payload is made to
// have some.
func withSpareBits(t *testing.T, payload string) string {
	t.Helper()
	if !strings.HasSuffix(payload, "=") {
		t.Fatal("the payload fills its base64: change a length in small()")
	}
	body := strings.TrimRight(payload, "=")
	return body[:len(body)-1] + string(body[len(body)-1]+1) + payload[len(body):]
}

// malleated is a signature whose second half is greater by the group's order: a verifier that
// does not look takes it.
func malleated(t *testing.T, sig string) string {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(sig)
	if err != nil {
		t.Fatal(err)
	}
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	s := slices.Clone(raw[32:])
	slices.Reverse(s)
	sum := new(big.Int).Add(new(big.Int).SetBytes(s), order).FillBytes(make([]byte, 32))
	slices.Reverse(sum)
	return base64.StdEncoding.EncodeToString(append(raw[:32:32], sum...))
}

func testKeys() []ed25519.PublicKey {
	return []ed25519.PublicKey{publicOf(testKey(1)), publicOf(testKey(2))}
}

// TestCorpus: what is in order is taken, everything else refused with what is wrong.
func TestCorpus(t *testing.T) {
	for _, f := range corpus(t) {
		t.Run(f.name, func(t *testing.T) {
			compareStored(t, filepath.Join("files", f.name+".json"), f.content)
			_, err := Verify(f.content, testKeys())
			if f.want == "" && err != nil {
				t.Fatal(err)
			}
			if f.want != "" && (err == nil || !strings.Contains(err.Error(), f.want)) {
				t.Fatalf("got %v, want %q", err, f.want)
			}
		})
	}
	for i, key := range testKeys() {
		text, err := EncodePublicKey(key)
		if err != nil {
			t.Fatal(err)
		}
		compareStored(t, []string{"signer.pub", "rotated.pub"}[i], text)
	}
}

// compareStored compares with a file of the corpus; LIFEBOAT_UPDATE_GOLDEN writes it.
func compareStored(t *testing.T, name string, content []byte) {
	t.Helper()
	file := filepath.Join(corpusDir, name)
	if os.Getenv("LIFEBOAT_UPDATE_GOLDEN") != "" {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	stored, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(stored, content) {
		t.Errorf("%s differs from what the code makes", file)
	}
}
