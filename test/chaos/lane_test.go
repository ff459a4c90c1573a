//go:build stack

package chaos

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/config"
	"github.com/lifeboat-backup/lifeboat/test/compare"
	"github.com/lifeboat-backup/lifeboat/test/harness"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// laneCount is how many scenarios run at a time: most of one is waiting for the
// heartbeat timeout after a kill.
const laneCount = 16

var (
	shared *stack.Stack
	bins   harness.Binaries
	// tag keeps runs of this package on one stack apart.
	tag = strconv.FormatInt(time.Now().Unix()%(36*36*36*36*36), 36)
)

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "lifeboat-chaos-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if bins, err = harness.Build(context.Background(), dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer closeLanes()
	return stack.Main(m, stack.Options{TemporalOnDisk: true, EBS: true, EBSFast: true}, func(s *stack.Stack) { shared = s })
}

// lane is one cluster name with a worker, a prefix, proxies and namespaces of its
// own; scenarios run on it one after the other.
type lane struct {
	*harness.Harness
	name            string
	s3, api         *Proxy
	s3Line, apiLine *stack.Proxy // between the worker and the proxies: to cut
	temporalLine    *stack.Proxy
	state           compare.State
	runs            int    // scenarios so far
	binary          string // of the next worker; "" is the one under test
	disks           *disks // nil until a scenario needs volumes

	mu     sync.Mutex
	worker *harness.Worker
	alias  *strings.Replacer
}

// lanes are shared by all tests: a scenario takes one that is idle.
var lanes struct {
	once  sync.Once
	token string // of their workers
	all   []*lane
	idle  chan *lane
	err   error
}

// ready makes the lanes at first use.
func ready(t *testing.T) {
	t.Helper()
	lanes.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		if lanes.token, lanes.err = workerToken(ctx); lanes.err != nil {
			return
		}
		lanes.all = make([]*lane, laneCount)
		errs := make([]error, laneCount+1)
		var wg sync.WaitGroup
		wg.Go(func() { errs[laneCount] = makeBulk(ctx) })
		slots := make(chan bool, 3) // a stampede would only be slower
		for i := range laneCount {
			wg.Go(func() {
				slots <- true
				lanes.all[i], errs[i] = newLane(ctx, fmt.Sprintf("l%s%02d", tag, i), withSnapshots)
				<-slots
			})
		}
		wg.Wait()
		lanes.err = errors.Join(errs...)
		lanes.idle = make(chan *lane, laneCount)
		for _, l := range lanes.all {
			lanes.idle <- l
		}
	})
	if lanes.err != nil {
		t.Fatalf("make lanes: %v", lanes.err)
	}
}

// workerToken is a token of a ServiceAccount that may do all, as the chart's worker may: by rules of RBAC, which an
// API server that has just started has not read, while an administrator's group needs none.
func workerToken(ctx context.Context) (string, error) {
	const manifest = `
apiVersion: v1
kind: ServiceAccount
metadata: {name: lifeboat-worker, namespace: default}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: lifeboat-worker}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{kind: ServiceAccount, name: lifeboat-worker, namespace: default}]
`
	h := &harness.Harness{Stack: shared}
	if _, err := h.Kubectl(ctx, manifest, "apply", "--filename=-"); err != nil {
		return "", err
	}
	token, err := h.Kubectl(ctx, "", "create", "token", "lifeboat-worker", "--namespace=default", "--duration=24h")
	return strings.TrimSpace(token), err
}

func closeLanes() {
	for _, l := range lanes.all {
		if l != nil {
			l.close()
		}
	}
}

func (l *lane) close() {
	if l.worker != nil {
		l.worker.Kill()
	}
	l.s3.Close()
	l.api.Close()
	l.s3Line.Close()
	l.apiLine.Close()
	l.temporalLine.Close()
	l.Close()
	_ = os.RemoveAll(l.Dir)
}

func newLane(ctx context.Context, name string, edit func(*config.Config)) (*lane, error) {
	l := &lane{name: name}
	l.rename(name, "LANE")
	if err := l.connect(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "lifeboat-lane-")
	if err != nil {
		return nil, err
	}
	l.Harness, err = harness.New(ctx, shared, bins, dir, harness.Options{
		Cluster: name, S3: l.s3Line.Addr(), API: l.apiLine.Addr(), Temporal: l.temporalLine.Addr(), Token: lanes.token, Edit: edit,
	})
	if err != nil {
		return nil, err
	}
	if err := l.start(ctx); err != nil {
		return nil, err
	}
	return l, l.makeSample(ctx)
}

func (l *lane) connect() error {
	cert, roots, err := servingPair(shared.CAFile)
	if err != nil {
		return err
	}
	if l.s3, err = NewProxy("s3", shared.S3.Endpoint, l.sign, nil, nil); err != nil {
		return err
	}
	if l.api, err = NewProxy("api", shared.APIServer, l.sign, cert, roots); err != nil {
		return err
	}
	if l.s3Line, err = stack.NewProxy(l.s3.addr); err != nil {
		return err
	}
	if l.apiLine, err = stack.NewProxy(l.api.addr); err != nil {
		return err
	}
	l.temporalLine, err = stack.NewProxy(shared.Temporal.Address)
	return err
}

// start replaces the lane's worker. One that ends because Temporal does not answer
// yet is started again, as a cluster would.
func (l *lane) start(ctx context.Context) error {
	var errs []error
	for range 3 {
		w, err := l.StartWorkerOf(ctx, cmp.Or(l.binary, bins.Worker), shared.EBS.Environment()...)
		if err == nil {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.worker = w
			return nil
		}
		if w != nil {
			w.Kill()
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (l *lane) current() *harness.Worker {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.worker
}

// rename says which names change between runs, and what they are called in
// signatures: pairs of from and to, the longest first.
func (l *lane) rename(pairs ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.alias = strings.NewReplacer(pairs...)
}

var (
	stagingDir = regexp.MustCompile(`staging/[0-9a-f-]{36}/`)
	probeKey   = regexp.MustCompile(`check/conditional-\w+`)
	// The key of a catalog entry holds what a list shows of its backup, times among it.
	catalogEntry = regexp.MustCompile(`(lifeboat/catalog/[^/?]+)/[^?]+`)
	// Keys of staged chunks end in the token of the attempt that wrote them.
	chunkKey = regexp.MustCompile(`(chunk-\d+)-[a-z2-7]{10}`)
	// Keys of documents of which the latest counts end in the attempt itself.
	attemptMark = regexp.MustCompile(`_\d{8}T\d{6}\.\d{9}-\d{5}`)
	// Names of snapshots and their contents are made of uids.
	snapshotPath = regexp.MustCompile(`(volumesnapshots|volumesnapshotcontents)/[^/?]+`)
)

// sign names a request: method, path and the parts of the query that tell calls
// apart, without what changes between runs.
func (l *lane) sign(r *http.Request) string {
	l.mu.Lock()
	alias := l.alias
	l.mu.Unlock()
	target := strings.TrimPrefix(r.URL.Path, "/"+shared.S3.Bucket+"/")
	var more []string
	for key, values := range r.URL.Query() {
		switch key {
		case "limit", "partNumber", "prefix", "uploads", "delete":
			more = append(more, key+"="+values[0])
		case "continue", "uploadId", "list-type":
			more = append(more, key)
		}
	}
	if len(more) > 0 {
		slices.Sort(more)
		target += "?" + strings.Join(more, "&")
	}
	target = stagingDir.ReplaceAllString(alias.Replace(target), "staging/UID/")
	target = snapshotPath.ReplaceAllString(target, "$1/ID")
	target = catalogEntry.ReplaceAllString(target, "$1/ENTRY")
	target = chunkKey.ReplaceAllString(target, "$1-ATTEMPT")
	target = attemptMark.ReplaceAllString(target, "")
	return r.Method + " " + probeKey.ReplaceAllString(target, "check/PROBE")
}

// arm forgets what the proxies saw and hooks both.
func (l *lane) arm(h Hook) {
	l.s3.Reset(h)
	l.api.Reset(h)
}

// calls are those of both sides, in order of time.
func (l *lane) calls() []Call {
	all := append(l.s3.Calls(), l.api.Calls()...)
	slices.SortStableFunc(all, func(a, b Call) int { return a.At.Compare(b.At) })
	return all
}

// job is one scenario.
type job struct {
	name string
	do   func(ctx context.Context, l *lane) error
}

// each runs jobs on as many lanes as there are. A lane whose scenario failed is put
// right before the next one.
func each(t *testing.T, jobs []job) {
	t.Helper()
	ready(t)
	queue := make(chan job, len(jobs))
	for _, j := range jobs {
		queue <- j
	}
	close(queue)
	var wg sync.WaitGroup
	for range min(laneCount, len(jobs)) {
		wg.Go(func() {
			for j := range queue {
				l := <-lanes.idle
				t.Run(j.name, func(t *testing.T) { l.play(t, j) })
				lanes.idle <- l
			}
		})
	}
	wg.Wait()
}

func (l *lane) play(t *testing.T, j job) {
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	l.runs++
	begin := time.Now()
	err := j.do(ctx, l)
	l.arm(nil)
	if err != nil {
		t.Errorf("lane %s: %v", l.name, err)
		t.Logf("worker: %s", lastLines(l.current().Log(), 8))
		if err := l.putRight(); err != nil {
			t.Errorf("put the lane right: %v", err)
		}
	}
	t.Logf("%.1f s on %s", time.Since(begin).Seconds(), l.name)
}

func lastLines(text []byte, n int) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// putRight ends what still runs and clears the lane's working space.
func (l *lane) putRight() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := errors.Join(l.s3Line.Heal(), l.apiLine.Heal(), l.temporalLine.Heal()); err != nil {
		return err
	}
	l.current().Kill()
	err := l.terminateAll(ctx)
	for _, dir := range []string{"plugins/lifeboat/staging/", "plugins/lifeboat/claims/", "plugins/lifeboat/tombstones/"} {
		_, clear := l.Store.DeletePrefix(ctx, dir)
		_, abort := l.Store.AbortUploads(ctx, "backups/")
		err = errors.Join(err, clear, abort)
	}
	return errors.Join(err, l.start(ctx))
}
