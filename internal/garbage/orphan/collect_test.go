package orphan_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/deletion"
	"github.com/lifeboat-backup/lifeboat/internal/garbage"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/internal/kube/kubetest"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/repository/beside"
	"github.com/lifeboat-backup/lifeboat/internal/repository/repositorytest"
	"github.com/lifeboat-backup/lifeboat/internal/retention"
	"github.com/lifeboat-backup/lifeboat/internal/store/memstore"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/native"
	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim/inprocess"
)

// direct hands requests to an API server without a network.
type direct struct{ server http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	return inprocess.Do(d.server, r)
}

// collection is one run of the workflow CollectGarbage, by a process that may be lost in it.
type collection struct {
	*installation
	runner   *garbage.Runner
	deletion *deletion.Runner
	phased   bool // a deletion has three activities, as those that people ask for
}

func (i *installation) collection(server *kubetest.Server) *collection {
	i.t.Helper()
	kc, err := kube.New(&kube.RESTConfig{Host: "http://kube.test", Transport: direct{server}}, kube.Options{RetryFor: -1})
	if err != nil {
		i.t.Fatal(err)
	}
	return &collection{installation: i, runner: &garbage.Runner{Cluster: i.cluster, Policy: i.policy, Locations: i.locations}, deletion: &deletion.Runner{
		Kube: kc, Locations: i.locations, Snapshots: i.snapshots,
		Deleters: map[volume.Method]volume.Deleter{volume.MethodNative: &native.Deleter{Locations: i.snapshots}},
	}}
}

// run does what the workflow does, each activity once. Its error is that of the first that
// would have been tried again.
func (c *collection) run(ctx context.Context, now time.Time) error {
	plan, err := c.runner.Plan(ctx, contract.PlanGarbageInput{Now: now})
	if err != nil {
		return err
	}
	for _, row := range plan.Delete {
		if err := c.delete(ctx, row, now); err != nil {
			try := contract.GarbageTry{Name: row.Name, Location: row.Location, UID: row.UID, At: now, Error: err.Error()}
			if err := c.runner.Record(ctx, try); err != nil {
				return err
			}
		}
	}
	orphans, err := c.Plan(ctx, contract.PlanOrphansInput{Now: now})
	if err != nil {
		return err
	}
	_, err = c.Remove(ctx, new(heartbeat.Recorder), contract.RemoveOrphansInput{Orphans: orphans.Remove, Run: contract.Run{WorkflowID: "gc", Cluster: c.cluster, Started: time.Now()}})
	return err
}

// delete is the workflow DeleteBackup.
func (c *collection) delete(ctx context.Context, row contract.GarbageRow, now time.Time) error {
	in := contract.DeleteBackupInput{Name: row.Name, Location: row.Location, UID: row.UID, ExpiredAt: now, Place: row.Place}
	if c.phased {
		return c.deleteByPhases(ctx, in)
	}
	res, err := c.deletion.DeleteExpired(ctx, new(heartbeat.Recorder), in)
	if err == nil && len(res.Retained) > 0 {
		err = fmt.Errorf("retained: %v", res.Retained)
	}
	return err
}

func (c *collection) deleteByPhases(ctx context.Context, in contract.DeleteBackupInput) error {
	plan, err := c.deletion.PlanDelete(ctx, in)
	if err != nil {
		return err
	}
	res, err := c.deletion.DeleteSnapshots(ctx, new(heartbeat.Recorder), plan)
	if err != nil {
		return err
	}
	if len(res.Retained) > 0 {
		return fmt.Errorf("retained: %v", res.Retained)
	}
	_, err = c.deletion.DeleteFiles(ctx, new(heartbeat.Recorder), plan)
	return err
}

// estate is what lies around an installation that begins to collect: what is to stay, and what
// is to go.
type estate struct {
	*installation
	kept map[string]bool // snapshots
	keys []string        // that stay, beside those of a collection's own
}

// littered has a bit of everything, two days old.
func (w *world) littered() *estate {
	e := &estate{installation: w.known("prod"), kept: map[string]bool{}}
	e.registered()
	keep := func(tags map[string]string) string {
		id := e.snapshot(tags)
		e.kept[id] = true
		return id
	}
	e.commit("fresh", "", time.Now().Add(99*day), keep(e.tags("fresh")), keep(e.tags("fresh")))
	e.stage("running")
	keep(e.tags("running"))
	foreign := e.tags("theirs")
	foreign[ebs.TagCluster] = "dev"
	commitAs(e.t, e.store(), "theirs", "", "dev", time.Now().Add(time.Hour), []string{keep(foreign)})
	keep(foreign)
	keep(map[string]string{ebs.TagBackup: "lost", ebs.TagBackupUID: "uid-lost", ebs.TagCluster: "prod", ebs.TagPlace: "0123456789ab"})
	keep(map[string]string{"Name": "mine"})
	e.store().Set(layout.Backup{Name: "velero"}.Tarball(), []byte("tar"))
	e.keys = e.store().Keys()

	e.commit("old", "", time.Now().Add(time.Hour), e.snapshot(e.tags("old")), e.snapshot(e.tags("old")))
	e.stage("dead")
	e.writeFiles("dead")
	e.snapshot(e.tags("dead"))
	e.runs.end("backup:prod:dead")
	e.snapshot(e.tags("lost"))
	e.snapshot(e.csiTags("velero-data-0123abcd"))
	e.writeFiles("half")
	e.store().SetUpload(layout.Backup{Name: "half"}.Index())
	time.Sleep(2 * day)
	return e
}

// check compares what is left with what is to be.
func (e *estate) check(clean bool) {
	e.t.Helper()
	left := e.left()
	for id := range e.kept {
		if !left[id] {
			e.t.Errorf("snapshot %s is gone", id)
		}
	}
	keys := slices.DeleteFunc(e.store().Keys(), func(key string) bool {
		return strings.HasPrefix(key, layout.CatalogRoot) || key == layout.SeenKey
	})
	for _, key := range e.keys {
		if key != layout.SeenKey && !strings.HasPrefix(key, layout.CatalogRoot) && !slices.Contains(keys, key) {
			e.t.Errorf("%s is gone", key)
		}
	}
	if !clean {
		return
	}
	if !maps.Equal(left, e.kept) {
		e.t.Errorf("snapshots left %v, want %v", left, e.kept)
	}
	for _, key := range keys {
		if !slices.Contains(e.keys, key) {
			e.t.Errorf("%s is left", key)
		}
	}
	if uploads, err := e.store().Uploads(e.t.Context(), ""); err != nil || len(uploads) > 0 {
		e.t.Errorf("uploads left: %v, %v", uploads, err)
	}
}

// TestCollection: one run takes what is to go and nothing else.
func TestCollection(t *testing.T) {
	server := kubetest.Start(t, kubetest.WithIdentity("uid-of-prod"))
	inWorld(t, func(t *testing.T, w *world) {
		e := w.littered()
		if err := e.collection(server).run(t.Context(), time.Now()); err != nil {
			t.Error(err)
		}
		e.check(true)
	})
}

// befalls is what happens to the request of a number, and to those behind it.
var befalls = map[string]func(at int) func(n int) outcome{
	"one is refused": func(at int) func(int) outcome {
		return func(n int) outcome {
			if n >= at && n < at+4 { // with the SDK's own tries
				return refused
			}
			return answered
		}
	},
	"one answer is lost": func(at int) func(int) outcome {
		return func(n int) outcome {
			if n == at {
				return unheard
			}
			return answered
		}
	},
	"the process is lost behind it": func(at int) func(int) outcome {
		return func(n int) outcome {
			switch {
			case n == at:
				return unheard
			case n > at:
				return refused
			}
			return answered
		}
	},
}

// TestFaults: each request of a collection, to the store and to EC2, fails in each way. What is
// to stay is there at any time, and a second run, a day later, ends clean.
// Outside make soak each request meets one of the kinds in turn.
func TestFaults(t *testing.T) {
	for _, side := range []string{"store", "EC2"} {
		for i, name := range slices.Sorted(maps.Keys(befalls)) {
			for how, phased := range map[string]bool{"": false, ", by phases": true} {
				t.Run(side+"/"+name+how, func(t *testing.T) {
					t.Parallel()
					first, step := i+1, len(befalls)
					if isSoak() {
						first, step = 1, 1
					}
					testFaults(t, side, phased, befalls[name], first, step)
				})
			}
		}
	}
}

func testFaults(t *testing.T, side string, phased bool, befall func(int) func(int) outcome, first, step int) {
	for at := first; ; at += step {
		done := false
		server := kubetest.Start(t, kubetest.WithIdentity("uid-of-prod"))
		inWorld(t, func(t *testing.T, w *world) {
			e := w.littered()
			count := e.inject(side, befall(at))
			struck := e.collection(server)
			struck.phased = phased
			_ = struck.run(t.Context(), time.Now()) // it fails, or does not
			done = count() < at
			e.heal()
			e.check(false)
			e.restart()
			time.Sleep(day + time.Hour)
			if err := e.collection(server).run(t.Context(), time.Now()); err != nil {
				t.Errorf("the second run: %v", err)
			}
			e.check(true)
			if t.Failed() {
				t.Fatalf("request %d", at)
			}
		})
		if done || t.Failed() {
			return
		}
	}
}

// inject has requests fail, and returns what counts them.
func (i *installation) inject(side string, fault func(int) outcome) (count func() int) {
	if side == "EC2" {
		i.wire.setFault(fault)
		return i.wire.count
	}
	n := 0
	i.store().Intercept(func(context.Context, memstore.Request) error { return nil })
	match := func(want outcome) memstore.Match {
		return func(memstore.Request) bool { return fault(n) == want }
	}
	i.store().Fail(func(memstore.Request) bool { n++; return fault(n) == refused }, errCut)
	memstore.WithLostReply(match(unheard), errCut)(i.store())
	return func() int { return n }
}

func (i *installation) heal() {
	i.store().Heal()
	i.wire.setFault(nil)
}

// TestSnapshotLocationThatIsGone: a backup whose snapshots are in a location that the configuration has
// no more has one try a run, with a pause that doubles until it lasts a day: none a second before its
// end, one at its end. The plan says why it stays; others go.
func TestSnapshotLocationThatIsGone(t *testing.T) {
	server := kubetest.Start(t, kubetest.WithIdentity("uid-of-prod"))
	inWorld(t, func(t *testing.T, w *world) {
		i := w.known("prod")
		i.commit("a", "", time.Now().Add(time.Hour), i.snapshot(i.tags("a")))
		i.commit("b", "", time.Now().Add(2*time.Hour))
		time.Sleep(3 * time.Hour)
		i.snapshots = w.connect("another")
		i.Snapshots = i.snapshots
		c := i.collection(server)
		last := time.Now()
		tries := 0
		check := func() {
			t.Helper()
			for range 2 { // the second has nothing to do
				if err := c.run(t.Context(), last); err != nil {
					t.Fatal(err)
				}
			}
			plan, err := c.runner.Plan(t.Context(), contract.PlanGarbageInput{Now: last})
			if err != nil || len(plan.Delete) > 0 || len(plan.Keep) != 1 {
				t.Fatalf("%+v, %v", plan, err)
			}
			if row := plan.Keep[0]; row.Name != "a" || row.Tries != tries || row.Cause != garbage.CauseFailed ||
				!strings.Contains(row.Reason, "is tried again at ") || !strings.Contains(row.Reason, "retained: location ebs unknown: snapshot ") {
				t.Errorf("%+v, want %d tries", row, tries)
			}
		}
		for _, hours := range []time.Duration{0, 1, 2, 4, 8, 16, 24, 24, 24} {
			if hours > 0 {
				last = last.Add(hours*time.Hour - time.Second)
				check()
				last = last.Add(time.Second)
			}
			tries++
			check()
		}
	})
}

// TestStorageLocationThatIsGone: a plan whose storage location was removed from the configuration
// before it was carried out has the deletion, and the record of its failure, fail by the
// location's name; the next plan has no row of a location that nobody knows, and its backups stay.
func TestStorageLocationThatIsGone(t *testing.T) {
	server := kubetest.Start(t, kubetest.WithIdentity("uid-of-prod"))
	inWorld(t, func(t *testing.T, w *world) {
		i := w.known("prod")
		i.commit("a", "", time.Now().Add(time.Hour))
		time.Sleep(2 * time.Hour)
		plan, err := i.collection(server).runner.Plan(t.Context(), contract.PlanGarbageInput{Now: time.Now()})
		if err != nil || len(plan.Delete) != 1 {
			t.Fatalf("%+v, %v", plan, err)
		}
		row, was := plan.Delete[0], i.store()
		i.stores = repositorytest.Stores{"another": memstore.New()}
		i.restart()
		c := i.collection(server)
		failed := c.delete(t.Context(), row, time.Now())
		recorded := c.runner.Record(t.Context(), contract.GarbageTry{Name: row.Name, Location: row.Location, UID: row.UID, At: time.Now(), Error: "x"})
		for _, err := range []error{failed, recorded} {
			if err == nil || !strings.Contains(err.Error(), `"default"`) {
				t.Error(err)
			}
		}
		if plan, err = c.runner.Plan(t.Context(), contract.PlanGarbageInput{Now: time.Now()}); err != nil || len(plan.Delete)+len(plan.Keep)+len(plan.Unread) > 0 || !was.Has(layout.Backup{Name: "a"}.Metadata()) {
			t.Errorf("%+v, %v", plan, err)
		}
	})
}

// TestRandomSequences: whatever happens in whatever order, with backups that fail, in part or all of
// them, or are found to be corrupt, no snapshot goes that a backup or a running run names, the floor
// holds, nothing foreign is touched, and two runs later nothing is left that has expired and that
// nothing protects.
func TestRandomSequences(t *testing.T) {
	seeds := uint64(25)
	if isSoak() {
		seeds = 1000
	}
	for seed := range seeds {
		server := kubetest.Start(t, kubetest.WithIdentity("uid-of-prod"))
		inWorld(t, func(t *testing.T, w *world) {
			s := newSequence(t, w, seed, server)
			for range 40 {
				s.step()
				if s.check(); t.Failed() {
					t.Fatalf("seed %d after %v", seed, s.log)
				}
			}
			s.settle()
			if t.Failed() {
				t.Fatalf("seed %d after %v", seed, s.log)
			}
		})
		if t.Failed() {
			return
		}
	}
}

// isSoak tells that the tests run by make soak, and may take hours.
func isSoak() bool { return os.Getenv("LIFEBOAT_SOAK") != "" }

// sequence is a world in which things happen at random.
type sequence struct {
	*installation
	r       *rand.Rand
	server  *kubetest.Server
	n       int
	log     []string
	running []string
	foreign map[string]bool   // snapshots
	files   map[string]string // of another cluster
	made    map[string]*made  // committed backups by name, those that are gone too
	// forgotten are the runs that a Temporal lost, with when they last wrote: no collection has had a
	// clock ahead since.
	forgotten map[string]time.Time
	began     map[string]time.Time
	took      map[string][]string // the snapshots of each backup
}

// made is a backup that was committed.
type made struct {
	schedule string
	phase    velerov1.BackupPhase
	n        int // the later the greater
	corrupt  bool
}

// worth is that of a backup to the floor, 0 for nothing: a complete one, then one that is partly so.
func (m *made) worth() int {
	switch {
	case m.corrupt:
		return 0
	case m.phase == velerov1.BackupPhaseCompleted:
		return 2
	case m.phase == velerov1.BackupPhasePartiallyFailed:
		return 1
	}
	return 0
}

func newSequence(t *testing.T, w *world, seed uint64, server *kubetest.Server) *sequence {
	s := &sequence{r: rand.New(rand.NewPCG(seed, 7)), server: server, foreign: map[string]bool{}, files: map[string]string{}, made: map[string]*made{}, forgotten: map[string]time.Time{}, began: map[string]time.Time{}, took: map[string][]string{}}
	s.installation = w.install("prod", repositorytest.Stores{"default": memstore.New()})
	s.policy = retention.Policy{Floor: 1 + s.r.IntN(3)}
	s.restart()
	s.registered()
	tags := s.tags("theirs")
	tags[ebs.TagCluster] = "dev"
	named := s.snapshot(tags)
	commitAs(t, s.store(), "theirs", "weekly", "dev", time.Now().Add(time.Hour), []string{named})
	for _, id := range []string{named, s.snapshot(tags), s.snapshot(nil), s.snapshot(map[string]string{
		ebs.TagBackup: "x", ebs.TagBackupUID: "uid-x", ebs.TagCluster: "prod", ebs.TagPlace: "0123456789ab",
	})} {
		s.foreign[id] = true
	}
	for _, key := range s.store().Keys() {
		if strings.HasPrefix(key, layout.BackupDir("theirs")) {
			body, _ := s.store().Object(key)
			s.files[key] = string(body)
		}
	}
	return s
}

func (s *sequence) pick(n int) bool { return s.r.IntN(n) == 0 }

func (s *sequence) note(format string, args ...any) {
	s.log = append(s.log, fmt.Sprintf(format, args...))
}

// step does one thing.
func (s *sequence) step() {
	switch s.r.IntN(11) {
	case 9:
		s.findCorrupt()
	case 10:
		if s.pick(3) {
			s.forget()
		}
	case 0, 1:
		s.begin()
	case 2, 3:
		s.end()
	case 4:
		s.sayRetention()
	case 5:
		d := time.Duration(s.r.IntN(80)) * time.Hour
		s.note("wait %s", d)
		time.Sleep(d)
	case 6:
		s.runs.err = nil
		if s.pick(2) {
			s.runs.err = errors.New("no such namespace")
		}
		s.note("Temporal: %v", s.runs.err)
	default:
		s.collect()
	}
}

// begin begins a backup, which has some snapshots and files.
func (s *sequence) begin() {
	s.n++
	name := fmt.Sprintf("b%d", s.n)
	s.stage(name)
	for range s.r.IntN(3) {
		s.took[name] = append(s.took[name], s.snapshot(s.tags(name)))
	}
	if s.pick(3) {
		s.snapshot(s.tags(name)) // a double, which no manifest will name
	}
	if s.pick(2) {
		s.writeFiles(name)
	}
	s.running, s.began[name] = append(s.running, name), time.Now()
	s.note("begin %s", name)
}

// end ends a backup: it is committed, cleaned up after or not, or is lost.
func (s *sequence) end() {
	if len(s.running) == 0 {
		return
	}
	i := s.r.IntN(len(s.running))
	name := s.running[i]
	s.running = slices.Delete(s.running, i, i+1)
	s.runs.end("backup:prod:" + name)
	if s.pick(3) {
		s.note("lose %s", name)
		if s.pick(2) { // somebody has cleared a part by hand
			_, _ = s.store().DeletePrefix(s.t.Context(), layout.Staging("uid-"+name))
		}
		return
	}
	schedule := []string{"", "nightly", "weekly"}[s.r.IntN(3)]
	var ids []string
	for id, tags := range s.tagged() {
		if tags[ebs.TagBackup] == name && s.r.IntN(4) > 0 {
			ids = append(ids, id)
		}
	}
	time.Sleep(time.Second) // no two begin at once
	s.commit(name, schedule, time.Now().Add(time.Duration(1+s.r.IntN(100))*time.Hour), ids...)
	s.made[name] = &made{schedule: schedule, phase: s.drawPhase(name), n: len(s.made)}
	s.note("commit %s of %q with %d: %s", name, schedule, len(ids), s.made[name].phase)
	if s.pick(4) {
		return // it is lost before it cleared its staging
	}
	_, _ = s.store().DeletePrefix(s.t.Context(), layout.Staging("uid-"+name))
	s.store().Remove(layout.NameLock(name))
}

// drawPhase has some committed backups failed, in part or altogether.
func (s *sequence) drawPhase(name string) velerov1.BackupPhase {
	phase := []velerov1.BackupPhase{
		velerov1.BackupPhaseCompleted, velerov1.BackupPhaseCompleted, velerov1.BackupPhasePartiallyFailed, velerov1.BackupPhaseFailed,
	}[s.r.IntN(4)]
	key := layout.Backup{Name: name}.Metadata()
	doc, _ := s.store().Object(key)
	s.store().Set(key, bytes.Replace(doc, []byte(`"phase":"Completed"`), fmt.Appendf(nil, `"phase":%q`, phase), 1))
	return phase
}

// findCorrupt has a verification find damage.
func (s *sequence) findCorrupt() {
	names := s.committed()
	if len(names) == 0 {
		return
	}
	name := names[s.r.IntN(len(names))]
	v := beside.Verification{Name: name, UID: "uid-" + name, At: time.Now()}
	v.AddDamage("file", "gone")
	if err := v.Write(s.t.Context(), s.store()); err != nil {
		s.t.Fatal(err)
	}
	s.made[name].corrupt = true
	s.note("%s is corrupt", name)
}

// forget has Temporal know none of the runs that go on: nobody will end them.
func (s *sequence) forget() {
	for _, name := range s.running {
		s.runs.end("backup:prod:" + name)
		s.forgotten[name] = s.began[name]
	}
	s.note("Temporal forgets %v", s.running)
	s.running = nil
}

// tagged are the tags of the snapshots that are left.
func (s *sequence) tagged() map[string]map[string]string {
	out := map[string]map[string]string{}
	for _, snap := range s.State().Snapshots {
		if snap.Where == "" {
			out[snap.ID] = snap.Tags
		}
	}
	return out
}

func (s *sequence) sayRetention() {
	names := s.committed()
	if len(names) == 0 {
		return
	}
	name := names[s.r.IntN(len(names))]
	hold := ""
	if s.pick(2) {
		hold = "audit"
	}
	in := contract.SetRetentionInput{Name: name, Hold: &hold}
	if s.pick(3) {
		at := time.Now().Add(time.Duration(s.r.IntN(100)) * time.Hour)
		in.Expires = &at
	}
	r := garbage.Runner{Cluster: "prod", Locations: s.locations}
	_, err := r.SetRetention(s.t.Context(), in)
	s.note("hold %s %q %v: %v", name, hold, in.Expires, err)
}

// committed are the backups of this cluster that there are.
func (s *sequence) committed() (names []string) {
	for _, key := range s.store().Keys() {
		if name, ok := strings.CutSuffix(strings.TrimPrefix(key, layout.BackupsDir), "/velero-backup.json"); ok && name != "theirs" {
			names = append(names, name)
		}
	}
	return names
}

// collect runs a collection: at times with a clock that is wrong, in a process that is lost,
// with requests that fail.
func (s *sequence) collect() {
	now := time.Now()
	if s.pick(4) {
		now = now.Add(time.Duration(s.r.IntN(400)-200) * time.Hour)
	}
	if now.After(time.Now()) {
		clear(s.forgotten)
	}
	if s.pick(3) {
		s.restart()
	}
	what := "none"
	if s.pick(2) {
		names := slices.Sorted(maps.Keys(befalls))
		what = names[s.r.IntN(len(names))]
		side := []string{"store", "EC2"}[s.r.IntN(2)]
		s.inject(side, befalls[what](1+s.r.IntN(80)))
		what += " of " + side
	}
	protected := s.protected()
	err := s.collection(s.server).run(s.t.Context(), now)
	s.heal()
	s.checkFloor(protected)
	s.note("collect at %s, fault %s: %v", time.Until(now), what, err)
}

// check finds what must never be.
func (s *sequence) check() {
	left := s.tagged()
	for _, name := range s.committed() {
		for _, id := range s.named(name) {
			if left[id] == nil {
				s.t.Errorf("snapshot %s of backup %s is gone", id, name)
			}
		}
	}
	for _, name := range s.running {
		if !s.store().Has(layout.Staging("uid-"+name) + repository.PlanFile) {
			s.t.Errorf("the staging of %s, which goes on, is gone", name)
		}
	}
	s.checkForgotten(left)
	for id := range s.foreign {
		if left[id] == nil {
			s.t.Errorf("foreign snapshot %s is gone", id)
		}
	}
	for key, want := range s.files {
		if got, _ := s.store().Object(key); string(got) != want {
			s.t.Errorf("%s is another", key)
		}
	}
}

// checkForgotten: what a run has written is left alone for the grace period, whoever has lost it.
func (s *sequence) checkForgotten(left map[string]map[string]string) {
	for name, wrote := range s.forgotten {
		if time.Since(wrote) >= day {
			continue
		}
		if !s.store().Has(layout.Staging("uid-"+name) + repository.PlanFile) {
			s.t.Errorf("the staging of %s, which Temporal has forgotten, is gone after %s", name, time.Since(wrote))
		}
		for _, id := range s.took[name] {
			if left[id] == nil {
				s.t.Errorf("snapshot %s of %s, which Temporal has forgotten, is gone after %s", id, name, time.Since(wrote))
			}
		}
	}
}

// protected are the backups that the floor keeps: of each schedule the last good ones.
func (s *sequence) protected() (names []string) {
	of := map[string][]string{}
	for _, name := range s.committed() {
		if m := s.made[name]; m.schedule != "" && m.worth() > 0 {
			of[m.schedule] = append(of[m.schedule], name)
		}
	}
	for _, all := range of {
		slices.SortFunc(all, func(a, b string) int {
			return cmp.Or(s.made[b].worth()-s.made[a].worth(), s.made[b].n-s.made[a].n)
		})
		names = append(names, all[:min(s.policy.Floor, len(all))]...)
	}
	return names
}

func (s *sequence) checkFloor(protected []string) {
	s.t.Helper()
	left := s.committed()
	for _, name := range protected {
		if !slices.Contains(left, name) {
			s.t.Errorf("backup %s is gone, %+v, the floor is %d", name, *s.made[name], s.policy.Floor)
		}
	}
}

// named are the snapshots that a backup names.
func (s *sequence) named(backup string) (ids []string) {
	_ = repository.EachEntry(s.t.Context(), s.store(), archive.Manifest{}, layout.Backup{Name: backup}.VolumeInfo(), func(i volume.Info) {
		ids = append(ids, i.Native.SnapshotHandle)
	})
	return ids
}

// settle ends all runs, waits, and collects twice: then nothing may be left that nothing
// protects.
func (s *sequence) settle() {
	for len(s.running) > 0 {
		name := s.running[0]
		s.running = s.running[1:]
		s.runs.end("backup:prod:" + name)
	}
	s.runs.err = nil
	for range 2 {
		time.Sleep(9 * day)
		protected := s.protected()
		if err := s.collection(s.server).run(s.t.Context(), time.Now()); err != nil {
			s.t.Errorf("collect: %v", err)
		}
		s.checkFloor(protected)
		s.check()
	}
	plan, err := s.collection(s.server).runner.Plan(s.t.Context(), contract.PlanGarbageInput{Now: time.Now()})
	if err != nil || len(plan.Delete) > 0 {
		s.t.Errorf("expired and left: %+v, %v", plan.Delete, err)
	}
	want := maps.Clone(s.foreign)
	for _, name := range s.committed() {
		for _, id := range s.named(name) {
			want[id] = true
		}
	}
	if got := s.left(); !maps.Equal(got, want) && len(s.committed()) > 0 {
		s.t.Errorf("snapshots left %v, want %v", got, want)
	}
	for _, key := range s.store().Keys() {
		for _, dir := range []string{layout.StagingRoot, layout.NameLockDir, layout.TombstoneDir} {
			name := strings.TrimSuffix(strings.TrimPrefix(key, dir), ".json")
			if strings.HasPrefix(key, dir) && !slices.Contains(s.committed(), name) { // one is held whose deletion had begun
				s.t.Errorf("%s is left", key)
			}
		}
	}
}
