package verification_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/verification"
)

func at(days float64) time.Time {
	return time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(days * 24 * float64(time.Hour)))
}

// TestDecide: what is due and in which order.
func TestDecide(t *testing.T) {
	backup := func(name string, made, verified, expires float64) verification.Backup {
		b := verification.Backup{Name: name, Made: at(made), Bytes: 1}
		if verified > 0 {
			b.Verified = at(verified)
		}
		if expires > 0 {
			b.Expires = at(expires)
		}
		return b
	}
	for name, c := range map[string]struct {
		now  float64
		all  []verification.Backup
		want string
	}{
		"fresh":                         {5, []verification.Backup{backup("a", 0, 0, 0)}, ""},
		"half of its time has passed":   {10, []verification.Backup{backup("a", 0, 0, 0)}, "a"},
		"oldest unverified first":       {18, []verification.Backup{backup("c", 4, 0, 0), backup("b", 3, 0, 0), backup("a", 0, 5, 0)}, "b c a"},
		"one that expires soon":         {3, []verification.Backup{backup("b", 0, 0, 5), backup("a", 0, 0, 30)}, "b"},
		"verified, and expires soon":    {6, []verification.Backup{backup("a", 0, 3, 7)}, ""},
		"what comes before one that is": {10, []verification.Backup{backup("a", 0, 0, 0), backup("b", 9, 0, 19)}, "b a"},
		"expired long ago, and kept":    {40, []verification.Backup{backup("a", 0, 0, 5)}, "a"},
		"verified, not long ago":        {10, []verification.Backup{backup("a", 0, 0.1, 0)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			plan := verification.Decide(c.all, verification.Policy{Every: verification.Every, Round: time.Hour}, at(c.now))
			var got []string
			for _, b := range plan.Due {
				got = append(got, b.Name)
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// A budget that is too small is told, with what would be enough: with that all is in time.
func TestTooLittleBandwidth(t *testing.T) {
	all := []verification.Backup{
		{Name: "a", Made: at(0), Bytes: 1 << 40, Expires: at(1)},
		{Name: "b", Made: at(0), Bytes: 1 << 40},
	}
	p := verification.Policy{Every: verification.Every, Round: time.Hour, Bandwidth: 1 << 20}
	plan := verification.Decide(all, p, at(0))
	if len(plan.Late) != 2 || plan.Late[0].Name != "a" || plan.Late[0].Deadline != at(1) || plan.Needs < 1<<40/86400 {
		t.Fatalf("%+v", plan)
	}
	p.Bandwidth = plan.Needs
	if again := verification.Decide(all, p, at(0)); len(again.Late) != 0 || again.Needs != 0 || len(again.Due) == 0 {
		t.Errorf("%+v", again)
	}
}

// TestPromises lets random sets of backups grow old, with new ones coming, and reads back what
// each plan says. As long as no plan has named a backup as late, every backup is read within
// its rotation and before it expires; and a plan names one only if no order could do better.
func TestPromises(t *testing.T) {
	kept, told := 0, 0
	for seed := range uint64(300) {
		w := newWorld(seed)
		late := w.run(t)
		if late {
			told++
		} else {
			kept++
		}
	}
	if kept < 60 || told < 60 {
		t.Errorf("%d worlds without a late backup and %d with one: the test tests little", kept, told)
	}
}

// world is a location whose backups are read back round by round.
type world struct {
	r      *rand.Rand
	seed   uint64
	policy verification.Policy
	all    []verification.Backup
	coming []verification.Backup // by when they are made
	now    time.Time
}

func newWorld(seed uint64) *world {
	r := rand.New(rand.NewPCG(seed, 7))
	w := &world{r: r, seed: seed, now: at(0), policy: verification.Policy{
		Every: time.Duration(1+r.IntN(20)) * 24 * time.Hour, Bandwidth: 1 << (10 + r.IntN(14)), Round: time.Hour,
	}}
	for i := range 1 + r.IntN(20) {
		made := at(r.Float64() * 30)
		b := verification.Backup{Name: fmt.Sprint("b", i), Made: made, Bytes: int64(r.IntN(1 << 32))}
		if r.IntN(3) > 0 {
			b.Expires = made.Add(time.Duration((0.2 + r.Float64()*30) * 24 * float64(time.Hour)))
		}
		w.coming = append(w.coming, b)
	}
	slices.SortFunc(w.coming, func(a, b verification.Backup) int { return a.Made.Compare(b.Made) })
	return w
}

// run runs until 60 days have passed or a plan names a late one, and tells which.
func (w *world) run(t *testing.T) (late bool) {
	for w.now.Before(at(60)) {
		w.arrive()
		plan := verification.Decide(w.all, w.policy, w.now)
		if len(plan.Late) > 0 {
			if w.isFeasible() {
				t.Fatalf("seed %d: %+v is called late, and need not be", w.seed, plan.Late[0])
			}
			return true
		}
		if !w.isFeasible() {
			t.Fatalf("seed %d: nothing is called late, and some will be", w.seed)
		}
		w.readRound(t, plan)
	}
	return false
}

// arrive adds the backups that were made meanwhile and drops those that have expired.
func (w *world) arrive() {
	for len(w.coming) > 0 && !w.coming[0].Made.After(w.now) {
		w.all = append(w.all, w.coming[0])
		w.coming = w.coming[1:]
	}
	w.all = slices.DeleteFunc(w.all, func(b verification.Backup) bool {
		return !b.Expires.IsZero() && !b.Expires.After(w.now) && !b.Verified.IsZero()
	})
}

// readRound reads what is due until the next round is, whose plan knows what has come
// meanwhile.
func (w *world) readRound(t *testing.T, plan verification.Plan) {
	t.Helper()
	next := w.now.Add(w.policy.Round)
	for _, due := range plan.Due {
		i := slices.IndexFunc(w.all, func(b verification.Backup) bool { return b.Name == due.Name })
		b := &w.all[i]
		deadline := b.Deadline(w.policy.Every)
		w.now = w.now.Add(time.Duration(float64(b.Bytes) / float64(w.policy.Bandwidth) * float64(time.Second)))
		if w.now.After(deadline) {
			t.Fatalf("seed %d: %s was read at %s, its deadline was %s", w.seed, b.Name, w.now, deadline)
		}
		b.Verified = w.now
		if !w.now.Before(next) {
			return
		}
	}
	w.now = next
}

// isFeasible asks for each deadline whether what has to be read by then can be: if not, no
// order could do it, and if so for each, the order of deadlines does.
func (w *world) isFeasible() bool {
	for _, last := range w.all {
		end, bytes := last.Deadline(w.policy.Every), int64(0)
		for _, b := range w.all {
			if !b.Deadline(w.policy.Every).After(end) {
				bytes += b.Bytes
			}
		}
		if need := time.Duration(float64(bytes) / float64(w.policy.Bandwidth) * float64(time.Second)); w.now.Add(need).After(end.Add(time.Microsecond)) {
			return false
		}
	}
	return true
}
