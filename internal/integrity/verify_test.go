package integrity_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/repository/beside"
	"github.com/lifeboat-backup/lifeboat/internal/repository/repositorytest"
	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// findings are the files and snapshots that a verification has named, and what it found.
func findings(res contract.VerifiedBackup) string {
	var lines []string
	for _, d := range res.Damage {
		lines = append(lines, d.What+": "+d.Found)
	}
	return strings.Join(lines, "\n")
}

// A backup that is whole is Verified, every byte of it, with its snapshots; that is written
// beside it and shown in lists.
func TestVerify(t *testing.T) {
	w := newWorld(t)
	bytes := int64(0)
	for key, body := range w.contentsOf("b") {
		if key != (layout.Backup{Name: "b"}).Manifest() {
			bytes += int64(len(body))
		}
	}
	res := w.verify(t, "b", "uid-b")
	if res.Outcome != contract.VerificationGood || !res.Digests || res.Snapshots != 2 || len(res.Damage)+len(res.Unchecked) != 0 {
		t.Fatalf("%+v", res)
	}
	// The directory at the end of the index is read when the archive is opened.
	if res.Bytes > bytes || res.Bytes < bytes-4096 {
		t.Errorf("%d bytes read of %d", res.Bytes, bytes)
	}
	v, err := beside.ReadVerification(t.Context(), w, "b", "uid-b")
	if err != nil || v == nil || v.IsCorrupt() || v.Document == "" || v.Snapshots != 2 {
		t.Errorf("%+v, %v", v, err)
	}
	page, _, err := (&repository.Listing{Store: w}).Page(t.Context(), "")
	if err != nil || len(page) != 1 || page[0].Verified.IsZero() || page[0].Corrupt {
		t.Errorf("%+v, %v", page, err)
	}
}

// TestDamage damages every class of file that a backup has, in each way, and more: each is found
// and named, nothing else is, and the list says Corrupt.
func TestDamage(t *testing.T) {
	whole := newWorld(t)
	l := layout.Backup{Name: "b"}
	kinds := map[string]func([]byte) []byte{
		"first bit flipped":  func(b []byte) []byte { b[0] ^= 1; return b },
		"middle bit flipped": func(b []byte) []byte { b[len(b)/2] ^= 4; return b },
		"last bit flipped":   func(b []byte) []byte { b[len(b)-1] ^= 128; return b },
		"truncated":          func(b []byte) []byte { return b[:len(b)-1] },
		"empty":              func([]byte) []byte { return nil },
		"extended":           func(b []byte) []byte { return append(b, '\n') },
		"deleted":            nil,
	}
	for _, key := range whole.filesOf("b") {
		for kind, damage := range kinds {
			if key == l.Metadata() && damage == nil {
				continue // without its document there is no backup
			}
			t.Run(strings.TrimPrefix(key, layout.BackupDir("b"))+"/"+kind, func(t *testing.T) {
				w := newWorld(t)
				w.verify(t, "b", "uid-b")
				body, _ := w.Object(key)
				if damage == nil {
					w.Remove(key)
				} else {
					w.Set(key, damage(body))
				}
				before := w.contentsOf("b")
				res := w.verify(t, "b", "uid-b")
				if res.Outcome != contract.VerificationCorrupt || len(res.Damage) == 0 || !strings.Contains(res.Damage[0].What+res.Damage[0].Found, key) {
					t.Fatalf("%+v", res)
				}
				for _, d := range res.Damage {
					if key != l.Metadata() && d.What != key {
						t.Errorf("also named: %+v", d)
					}
				}
				if !maps.Equal(before, w.contentsOf("b")) {
					t.Error("the verification has changed the backup")
				}
				v, err := beside.ReadVerification(t.Context(), w, "b", "uid-b")
				if err != nil || v == nil || !v.IsCorrupt() {
					t.Errorf("%+v, %v", v, err)
				}
			})
		}
	}
}

// All that is damaged is named, not only the first.
func TestAllDamageIsNamed(t *testing.T) {
	w := newWorld(t)
	l := layout.Backup{Name: "b"}
	w.Remove(l.Logs())
	tarball, _ := w.Object(l.Tarball())
	tarball[len(tarball)/2] ^= 1
	w.Set(l.Tarball(), tarball)
	delete(w.snapshots.all, nativeSnapshot)
	res := w.verify(t, "b", "uid-b")
	for _, want := range []string{l.Logs(), l.Tarball(), nativeSnapshot} {
		if !slices.ContainsFunc(res.Damage, func(d contract.Damage) bool { return d.What == want }) {
			t.Errorf("%s is not named in\n%s", want, findings(res))
		}
	}
	if len(res.Damage) != 3 {
		t.Errorf("%+v", res.Damage)
	}
}

// What was put in the place of something else is found: it is whole by itself.
func TestReplacement(t *testing.T) {
	l := layout.Backup{Name: "b"}
	for name, c := range map[string]struct {
		replace func(t *testing.T, w *world)
		what    string
		found   string
	}{
		"an older manifest of the name, with its files": {func(t *testing.T, w *world) {
			old := &world{Store: memstore.New()}
			old.storeBackup(t, "b", "uid-old", "prod", day(1))
			for key, body := range old.contentsOf("b") {
				if key != l.Metadata() {
					w.Set(key, []byte(body))
				}
			}
		}, l.Manifest(), "is of another backup: its uid is uid-old"},
		"an older manifest with the same uid": {func(t *testing.T, w *world) {
			old := &world{Store: memstore.New()}
			old.storeBackup(t, "b", "uid-b", "prod", day(2))
			for key, body := range old.contentsOf("b") {
				if key != l.Metadata() {
					w.Set(key, []byte(body))
				}
			}
		}, l.Manifest(), "is not the one with which the backup was committed"},
		"the document of another backup": {func(t *testing.T, w *world) {
			w.storeBackup(t, "c", "uid-b", "prod", day(1))
			doc, _ := w.Object(layout.Backup{Name: "c"}.Metadata())
			w.Set(l.Metadata(), doc)
		}, l.Metadata(), `is of backup "c"`},
		"a document without annotations": {func(t *testing.T, w *world) {
			w.Set(l.Metadata(), []byte(`{"metadata":{"name":"b","uid":"uid-b"},"status":{"phase":"Completed"}}`))
		}, l.Metadata(), "lacks the annotations"},
		"another snapshot in the list": {func(t *testing.T, w *world) {
			data, err := repository.EncodeGzipJSON(json.RawMessage(`[{"spec":{"location":"east","persistentVolumeName":"pv-a"},"status":{"providerSnapshotID":"snap-z"}}]`))
			if err != nil {
				t.Fatal(err)
			}
			w.Set(l.VolumeSnapshots(), data)
		}, l.VolumeSnapshots(), "manifest says"},
		"a snapshot of another volume": {func(_ *testing.T, w *world) {
			w.snapshots.all[nativeSnapshot] = volume.Inspection{Presence: volume.Unfit, Reason: `is of volume "pv-z" by its tag`}
		}, nativeSnapshot, `is of volume "pv-z"`},
		"a snapshot that is gone": {func(_ *testing.T, w *world) { delete(w.snapshots.all, csiSnapshot) }, csiSnapshot, "does not exist"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c.replace(t, w)
			res := w.verify(t, "b", "uid-b")
			if res.Outcome != contract.VerificationCorrupt || !slices.ContainsFunc(res.Damage, func(d contract.Damage) bool {
				return d.What == c.what && strings.Contains(d.Found, c.found)
			}) {
				t.Errorf("%s\nwant %s: %s", findings(res), c.what, c.found)
			}
		})
	}
}

// A document that was changed after a verification is found by the next, though nothing else
// says what it was, and by each after that, until the right one is put back.
func TestChangedDocument(t *testing.T) {
	key := layout.Backup{Name: "b"}.Metadata()
	for what, change := range map[string][2]string{
		"phase": {`"Completed"`, `"PartiallyFailed"`},
		"ttl":   {`"spec": {`, `"spec": {"ttl":"1h0m0s",`},
		"name":  {`"name": "b"`, `"name": "c"`},
		"uid":   {`"uid": "uid-b"`, `"uid": "uid-c"`},
		"JSON":  {`{`, `[`},
		"ours":  {`"lifeboat-backup.github.io/uid"`, `"x"`},
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t)
			w.wantOutcome(t, contract.VerificationGood)
			doc, _ := w.Object(key)
			w.Set(key, []byte(strings.Replace(string(doc), change[0], change[1], 1)))
			for range 3 {
				if res := w.wantOutcome(t, contract.VerificationCorrupt); res.Damage[0].What != key {
					t.Errorf("%+v", res)
				}
			}
			w.Set(key, doc)
			w.wantOutcome(t, contract.VerificationGood)
			w.Set(key, append(doc, ' '))
			w.wantOutcome(t, contract.VerificationCorrupt)
		})
	}
}

// A document that somebody deleted is found and named, by name and among all, until it is put
// back; the backup has no entry in any list meanwhile.
func TestLostDocument(t *testing.T) {
	for _, before := range []string{"verified", "never verified"} {
		t.Run(before, func(t *testing.T) {
			w, key := newWorld(t), layout.Backup{Name: "b"}.Metadata()
			if before == "verified" {
				w.wantOutcome(t, contract.VerificationGood)
			}
			doc, _ := w.Object(key)
			w.Remove(key)
			for _, ask := range []contract.PlanVerificationInput{
				{Now: day(2)}, {Now: day(2), NotSince: day(2)}, {Now: day(2), Names: []string{"b"}},
			} {
				plan, err := w.runner().Plan(t.Context(), ask)
				if err != nil || namesOf(plan.Due) != "default/b" || plan.Due[0].UID != "uid-b" || len(plan.Late) > 0 {
					t.Fatalf("%+v, %v", plan, err)
				}
			}
			res := w.wantOutcome(t, contract.VerificationCorrupt)
			if len(res.Damage) != 1 || res.Damage[0].What != key || !strings.Contains(res.Damage[0].Found, "the file is missing") || res.Bytes == 0 || res.Snapshots != 2 {
				t.Errorf("%+v", res)
			}
			plan, err := w.runner().Plan(t.Context(), contract.PlanVerificationInput{Now: time.Now()})
			if err != nil || len(plan.Due) > 0 || plan.Corrupt != 1 || plan.Backups != 1 {
				t.Errorf("after it was found: %+v, %v", plan, err)
			}
			listed, _, err := (&repository.Listing{Store: w.Store, Lost: true}).Page(t.Context(), "")
			if err != nil || len(listed) != 1 || !listed[0].Corrupt || listed[0].UID != "uid-b" || listed[0].Cluster != "prod" || listed[0].Started.IsZero() {
				t.Errorf("it is listed as %+v, %v", listed, err)
			}
			if before == "verified" {
				w.Set(key, append(slices.Clone(doc), ' '))
				w.wantOutcome(t, contract.VerificationCorrupt)
			}
			w.Set(key, doc)
			w.wantOutcome(t, contract.VerificationGood)
		})
	}
}

// What is no lost backup is not named as one: what a run writes or deletes, another cluster's,
// and files that no manifest says what they are of.
func TestPlanWithoutDocuments(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"written", "deleted", "foreign"} {
		cluster := "prod"
		if name == "foreign" {
			cluster = "dev"
		}
		w.storeBackup(t, name, "uid-"+name, cluster, day(1))
		w.Remove(layout.Backup{Name: name}.Metadata())
	}
	w.Set(layout.NameLock("written"), []byte(`{"uid":"uid-written"}`))
	w.Set(layout.Tombstone("deleted"), []byte(`{"name":"deleted","uid":"uid-deleted"}`))
	w.Set(layout.Backup{Name: "velero"}.Tarball(), []byte("x"))
	plan, err := w.runner().Plan(t.Context(), contract.PlanVerificationInput{Now: day(2), NotSince: day(2)})
	if err != nil || namesOf(plan.Due) != "default/b" {
		t.Errorf("%+v, %v", plan, err)
	}
	for _, name := range []string{"written", "deleted", "velero"} {
		if _, err := w.runner().Plan(t.Context(), contract.PlanVerificationInput{Now: day(2), Names: []string{name}}); failure.TypeOf(err) != contract.ErrTypeNotFound {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A document that cannot be read is found by the name of its backup, too.
func TestPlanNamedDamaged(t *testing.T) {
	w := newWorld(t)
	w.Set(layout.Backup{Name: "b"}.Metadata(), []byte("{"))
	plan, err := w.runner().Plan(t.Context(), contract.PlanVerificationInput{Now: day(2), Names: []string{"b"}})
	if err != nil || namesOf(plan.Due) != "default/b" {
		t.Fatalf("%+v, %v", plan, err)
	}
	if res := w.verify(t, "b", plan.Due[0].UID); len(res.Damage) != 1 || !strings.Contains(res.Damage[0].Found, "is no Backup document") {
		t.Errorf("%+v", res)
	}
}

// A document that was damaged when it was read for the first time is nothing to go by.
func TestDocumentDamagedAtFirst(t *testing.T) {
	w, key := newWorld(t), layout.Backup{Name: "b"}.Metadata()
	doc, _ := w.Object(key)
	w.Set(key, []byte(strings.Replace(string(doc), `"name": "b"`, `"name": "c"`, 1)))
	w.wantOutcome(t, contract.VerificationCorrupt)
	w.Set(key, doc)
	w.wantOutcome(t, contract.VerificationGood)
}

// Older versions wrote down the digest of a damaged document as if it were the good one's.
func TestChangedDocumentOfOlderVersion(t *testing.T) {
	w, key := newWorld(t), layout.Backup{Name: "b"}.Metadata()
	old := beside.Verification{Name: "b", UID: "uid-b", At: time.Now().Add(-time.Hour), Document: archive.Digest([]byte("damaged"))}
	old.AddDamage(key, "is not what it was")
	if err := old.Write(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	w.wantOutcome(t, contract.VerificationGood)
}

// A snapshot of which nobody can tell is told, and is no finding.
// sampler reads blocks of snapshots.
type sampler struct {
	asked  []string
	answer map[string]volume.BlockSample
}

func (s *sampler) Sample(ctx context.Context, of volume.EBSSnapshot, read func(context.Context, int) error) (volume.BlockSample, error) {
	s.asked = append(s.asked, of.Location+"/"+of.ID)
	out := s.answer[of.ID]
	for range out.Blocks {
		if err := read(ctx, 512<<10); err != nil {
			return out, err
		}
	}
	return out, nil
}

// TestBlocks: blocks of the snapshots that are there are read; a damaged one is found, and that
// they cannot be read is told once.
func TestBlocks(t *testing.T) {
	at := func(id string) volume.Inspection {
		return volume.Inspection{Presence: volume.Present, EBS: volume.EBSSnapshot{Location: "west", ID: id}}
	}
	for name, c := range map[string]struct {
		answer  map[string]volume.BlockSample
		asked   int
		outcome string
		blocks  int
		says    string
	}{
		"good":    {map[string]volume.BlockSample{"snap-a": {Blocks: 4}, "snap-b": {Blocks: 4}}, 2, contract.VerificationGood, 8, ""},
		"damaged": {map[string]volume.BlockSample{"snap-a": {Blocks: 4}, "snap-b": {Blocks: 1, Damaged: "block 7 has another SHA-256"}}, 2, contract.VerificationCorrupt, 5, "block 7"},
		"denied":  {map[string]volume.BlockSample{"snap-a": {Unread: "access denied"}, "snap-b": {Unread: "access denied"}}, 1, contract.VerificationGood, 0, "the blocks of snapshots: those of "},
	} {
		w, s := newWorld(t), &sampler{answer: c.answer}
		w.snapshots.all = map[string]volume.Inspection{nativeSnapshot: at("snap-a"), csiSnapshot: at("snap-b")}
		before := w.verify(t, "b", "uid-b")
		w.blocks = s
		res := w.verify(t, "b", "uid-b")
		if res.Outcome != c.outcome || res.Blocks != c.blocks || len(s.asked) != c.asked || res.Bytes-before.Bytes != int64(c.blocks)*512<<10 || !strings.HasPrefix(s.asked[0], "west/snap-") {
			t.Errorf("%s: asked %q, %+v", name, s.asked, res)
		}
		if text := fmt.Sprint(res.Damage, res.Unchecked); !strings.Contains(text, c.says) {
			t.Errorf("%s: %s", name, text)
		}
	}
}

func TestUncheckedSnapshots(t *testing.T) {
	w := newWorld(t)
	w.snapshots.all[csiSnapshot] = volume.Inspection{Presence: volume.Unchecked, Reason: "is known to its driver only"}
	if res := w.verify(t, "b", "uid-b"); res.Outcome != contract.VerificationGood || res.Snapshots != 1 || !slices.Equal(res.Unchecked, []string{csiSnapshot + " is known to its driver only"}) {
		t.Errorf("%+v", res)
	}
	w.storeBackup(t, "c", "uid-c", "dev", day(1))
	w.snapshots.asked = nil
	if res := w.verify(t, "c", "uid-c"); res.Outcome != contract.VerificationGood || len(res.Unchecked) != 1 || !strings.Contains(res.Unchecked[0], "of cluster dev, whose worker") || len(w.snapshots.asked) > 0 {
		t.Errorf("%+v, asked for %q", res, w.snapshots.asked)
	}
}

// Velero's backups have no digests: what gzip and tar show is found, and a snapshot that is
// another's.
func TestVerifyVelero(t *testing.T) {
	l := layout.Backup{Name: "v"}
	for name, c := range map[string]struct {
		damage func(w *world)
		what   string
	}{
		"whole":           {func(*world) {}, ""},
		"no tarball":      {func(w *world) { w.Remove(l.Tarball()) }, l.Tarball()},
		"tarball cut off": {func(w *world) { b, _ := w.Object(l.Tarball()); w.Set(l.Tarball(), b[:len(b)-9]) }, l.Tarball()},
		"bit flipped":     {func(w *world) { b, _ := w.Object(l.Tarball()); b[len(b)/2] ^= 1; w.Set(l.Tarball(), b) }, l.Tarball()},
		"bit of a list":   {func(w *world) { b, _ := w.Object(l.Results()); b[len(b)-9] ^= 1; w.Set(l.Results(), b) }, l.Results()},
		"list cut off":    {func(w *world) { b, _ := w.Object(l.Results()); w.Set(l.Results(), b[:12]) }, l.Results()},
		"snapshot gone":   {func(w *world) { delete(w.snapshots.all, nativeSnapshot) }, ""},
		"another's": {func(w *world) {
			w.snapshots.all[nativeSnapshot] = volume.Inspection{Presence: volume.Unfit, Reason: "x"}
		}, nativeSnapshot},
		"document rewritten": {func(w *world) { b, _ := w.Object(l.Metadata()); w.Set(l.Metadata(), append(b, '\n')) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.storeVelero(t, "v")
			w.verify(t, "v", "uid-v")
			c.damage(w)
			res := w.verify(t, "v", "uid-v")
			if res.Digests || (c.what == "") != (len(res.Damage) == 0) || c.what != "" && (len(res.Damage) != 1 || res.Damage[0].What != c.what) {
				t.Errorf("%+v", res)
			}
		})
	}
}

// A verification writes and deletes below verification/ only.
func TestVerifyChangesNothingElse(t *testing.T) {
	w := newWorld(t)
	w.storeVelero(t, "v")
	begun := len(w.Requests())
	for range 2 {
		w.verify(t, "b", "uid-b")
		w.verify(t, "v", "uid-v")
		time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second))) // results have whole seconds
	}
	reads := memstore.On(memstore.OpGet, memstore.OpGetRange, memstore.OpHead, memstore.OpList)
	writes := 0
	for _, r := range w.Requests()[begun:] {
		if reads(r) {
			continue
		}
		writes++
		if !strings.HasPrefix(r.Key, layout.VerificationRoot) {
			t.Errorf("%s %s", r.Op, r.Key)
		}
	}
	if writes != 6 { // two results of each, of which the second replaces the first
		t.Errorf("%d writes", writes)
	}
}

// What cannot be read is not damaged: the error may pass, and nothing is written down.
func TestVerifyFails(t *testing.T) {
	away := errors.New("connection reset")
	for name, fail := range map[string]func(w *world){
		"store":            func(w *world) { w.Fail(memstore.On(memstore.OpGetRange).Key(".tar.gz"), away) },
		"document":         func(w *world) { w.Fail(memstore.On(memstore.OpGet).Key("velero-backup.json"), away) },
		"side file":        func(w *world) { w.Fail(memstore.On(memstore.OpGetRange).Key("-logs.gz"), away) },
		"access":           func(w *world) { w.Fail(memstore.On(memstore.OpGetRange).Key("-logs.gz"), store.ErrAccessDenied) },
		"EC2":              func(w *world) { w.snapshots.err = away },
		"result unwritten": func(w *world) { w.Fail(memstore.On(memstore.OpPut), away) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			fail(w)
			_, err := w.runner().Verify(t.Context(), &heartbeat.Recorder{}, contract.VerifyStoredInput{Name: "b", UID: "uid-b"})
			if err == nil {
				t.Fatal("no error")
			}
			if v, err := beside.ReadVerification(t.Context(), w, "b", "uid-b"); v != nil || err != nil {
				t.Errorf("%+v, %v", v, err)
			}
		})
	}
}

// A backup that is deleted, or replaced, before or during its verification is Gone, and nothing
// stays beside it.
func TestVerifyGone(t *testing.T) {
	l := layout.Backup{Name: "b"}
	for name, remove := range map[string]func(w *world){
		"before": func(w *world) {
			for _, key := range w.filesOf("b") {
				w.Remove(key)
			}
		},
		"being deleted": func(w *world) {
			w.Set(layout.Tombstone("b"), []byte(`{"name":"b","uid":"uid-b"}`))
			w.Remove(l.Metadata())
		},
		"written by a run": func(w *world) {
			w.Set(layout.NameLock("b"), []byte(`{"uid":"uid-other"}`))
			w.Remove(l.Metadata())
		},
		"replaced": func(w *world) { w.storeBackup(t, "b", "uid-new", "prod", day(2)) },
		"meanwhile": func(w *world) {
			w.Intercept(func(_ context.Context, r memstore.Request) error {
				if strings.HasSuffix(r.Key, ".tar.gz") {
					for _, key := range w.filesOf("b") {
						w.Remove(key)
					}
				}
				return nil
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if name == "replaced" {
				for _, key := range w.filesOf("b") {
					w.Remove(key)
				}
			}
			remove(w)
			if res := w.verify(t, "b", "uid-b"); res.Outcome != contract.VerificationGone {
				t.Errorf("%+v", res)
			}
			for _, key := range w.Keys() {
				if strings.HasPrefix(key, layout.VerificationRoot) {
					t.Errorf("%s is left", key)
				}
			}
		})
	}
}

// A second attempt goes on where the first was lost, and knows what that had found.
func TestVerifyResumes(t *testing.T) {
	w := newWorld(t)
	l := layout.Backup{Name: "b"}
	w.Remove(l.Logs())
	var last contract.Heartbeat
	first, stop := heartbeat.Start(contract.Heartbeat{}, func(h contract.Heartbeat) { last = h })
	w.Fail(memstore.On(memstore.OpGetRange).Key(".tar.gz"), errors.New("worker lost"))
	in := contract.VerifyStoredInput{Name: "b", UID: "uid-b", Asked: day(9)}
	if _, err := w.runner().Verify(t.Context(), first, in); err == nil {
		t.Fatal("no error")
	}
	stop()
	w.Heal()
	begun := len(w.Requests())
	second, stop := heartbeat.Start(last, func(contract.Heartbeat) {})
	defer stop()
	res, err := w.runner().Verify(t.Context(), second, in)
	if err != nil || len(res.Damage) != 1 || res.Damage[0].What != l.Logs() {
		t.Fatalf("%+v, %v", res, err)
	}
	for _, r := range w.Requests()[begun:] {
		if r.Op == memstore.OpGetRange && strings.HasSuffix(r.Key, "-logs.gz") {
			t.Errorf("%s is read again", r.Key)
		}
	}
}

// Repeated after its reply was lost, a verification reads nothing again.
func TestVerifyRepeated(t *testing.T) {
	w := newWorld(t)
	in := contract.VerifyStoredInput{Name: "b", UID: "uid-b", Asked: day(9)}
	first, err := w.runner().Verify(t.Context(), &heartbeat.Recorder{}, in)
	if err != nil {
		t.Fatal(err)
	}
	begun := len(w.Requests())
	again, err := w.runner().Verify(t.Context(), &heartbeat.Recorder{}, in)
	if err != nil || again.Outcome != first.Outcome || again.Bytes != first.Bytes || again.Snapshots != first.Snapshots {
		t.Errorf("%+v, %v; first %+v", again, err, first)
	}
	if n := len(w.Requests()) - begun; n > 2 {
		t.Errorf("%d requests", n)
	}
	in.Asked = day(10)
	w.Remove(layout.Backup{Name: "b"}.Logs())
	if res, err := w.runner().Verify(t.Context(), &heartbeat.Recorder{}, in); err != nil || res.Outcome != contract.VerificationCorrupt {
		t.Errorf("another one, in the same second: %+v, %v", res, err)
	}
}

// A cancel ends a verification that waits for bandwidth.
func TestVerifyCancelled(t *testing.T) {
	w := newWorld(t)
	w.policy.Bandwidth = 1 // after a burst of 256 KiB
	w.storeVelero(t, "v")
	noise := make([]byte, 1<<20)
	_, _ = rand.Read(noise)
	data, err := repository.EncodeGzipJSON(noise)
	if err != nil {
		t.Fatal(err)
	}
	w.Set(layout.Backup{Name: "v"}.Results(), data)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err = w.runner().Verify(ctx, &heartbeat.Recorder{}, contract.VerifyStoredInput{Name: "v", UID: "uid-v"})
	if err == nil || time.Since(began) > 5*time.Second {
		t.Errorf("%v after %s", err, time.Since(began))
	}
}

// A verification keeps to its bandwidth, measured on a virtual clock, and makes use of it.
func TestVerifyBandwidth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const bandwidth = 512 << 10
		w := newWorld(t)
		w.policy.Bandwidth = bandwidth
		w.storeVelero(t, "v")
		noise := make([]byte, 4<<20)
		_, _ = rand.Read(noise)
		data, err := repository.EncodeGzipJSON(noise)
		if err != nil {
			t.Fatal(err)
		}
		w.Set(layout.Backup{Name: "v"}.Results(), data)
		began := time.Now()
		res, err := w.runner().Verify(t.Context(), &heartbeat.Recorder{}, contract.VerifyStoredInput{Name: "v", UID: "uid-v"})
		if err != nil || res.Bytes < int64(len(data)) {
			t.Fatalf("%+v, %v", res, err)
		}
		// A burst of 256 KiB comes at once.
		want := time.Duration(float64(res.Bytes-256<<10) / bandwidth * float64(time.Second))
		if took := time.Since(began); took < want*99/100 || took > want*11/10 {
			t.Errorf("%d bytes took %s, want %s", res.Bytes, took, want)
		}
	})
}

// In a ReadOnly location a backup is verified by name, and the result is not written.
func TestVerifyReadOnly(t *testing.T) {
	w := newWorld(t)
	locations := repositorytest.Locations(repositorytest.Stores{"default": w.Store})
	locations.Config().BackupStorageLocations[0].Spec.AccessMode = "ReadOnly"
	r := integrityOver(w, locations)
	res, err := r.Verify(t.Context(), &heartbeat.Recorder{}, contract.VerifyStoredInput{Name: "b", UID: "uid-b"})
	if err != nil || res.Outcome != contract.VerificationGood || !strings.Contains(res.Note, "ReadOnly") {
		t.Errorf("%+v, %v", res, err)
	}
	if v, err := beside.ReadVerification(t.Context(), w, "b", "uid-b"); v != nil || err != nil {
		t.Errorf("%+v, %v", v, err)
	}
	plan, err := r.Plan(t.Context(), contract.PlanVerificationInput{Now: day(30)})
	if err != nil || len(plan.Due) != 0 {
		t.Errorf("%+v, %v", plan, err)
	}
}
