//go:build stack

package volumes

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"golang.org/x/sync/errgroup"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

const (
	// smallest is how many objects the smallest namespace has; each has twice those of the one before.
	smallest = 10
	// disksAtMost is how many volumes the largest namespace with volumes has.
	disksAtMost = 4
	// learnt is after how many restores a range is at most widest times as long as it is low, in the mean.
	learnt, widest = 10, 8
)

// TestEstimates restores backups of varied size, in make soak 200 times. Each restore is estimated
// right before it begins, as the CLI does it: from the drill and the restores that came before it,
// by what they left in the bucket. Of 200 ranges 80 to 97 % have to hold the time that the restore
// took, and they may not do so by being wide. Of 20 ranges, of which 85 % hold in the long run, fewer
// than 12 hold once in 700 times.
func TestEstimates(t *testing.T) {
	l := shared.drilling(t, "estimates")
	r := rand.New(rand.NewPCG(1, 1))
	backups := l.backupsOfSizes(t, r, sample(8, 40))
	l.runDrill(t, "estimates", backups[0].name)
	runs, held, width := sample(20, 200), 0, 0.0
	for n := range runs {
		b := backups[r.IntN(len(backups))]
		e := l.estimate(t, b.name)
		took := l.restoreTimed(t, b, n)
		holds := e.Low <= took && took <= e.High
		if holds {
			held++
		}
		if n >= learnt {
			width += math.Log(e.High.Seconds()/e.Low.Seconds()) / float64(runs-learnt)
		}
		t.Logf("run %d: %d objects, %d volumes: %.2f s expected, %.2f to %.2f s, took %.2f s: %v", n, e.Objects, e.Volumes,
			e.Expected.Seconds(), e.Low.Seconds(), e.High.Seconds(), took.Seconds(), holds)
	}
	t.Logf("%d of %d ranges hold the truth; after %d restores they are %.1f times as long as they are low", held, runs, learnt, math.Exp(width))
	if least, most := sample(12, runs*80/100), sample(runs, runs*97/100); held < least || held > most {
		t.Errorf("%d of %d ranges hold the truth, want %d to %d", held, runs, least, most)
	}
	if math.Exp(width) > widest {
		t.Errorf("the ranges are %.1f times as long as they are low, at most %d is wanted", math.Exp(width), widest)
	}
}

// drilling is a Lifeboat on a stack of the test's own, which the copies go with, that signs the
// evidence of drills.
func (l *lab) drilling(t *testing.T, name string) *lab {
	t.Helper()
	cluster := stack.Run(t, stack.Options{Kwok: true, EBS: true, EBSFast: true, EBSFrom: l.ebs})
	return &lab{Lab: l.On(t, cluster, l.drillOptions(t, name)), ebs: l.ebs, ec2: l.ec2}
}

// sized is a backup of some namespaces.
type sized struct {
	name       string
	namespaces []string
}

// backupsOfSizes takes backups of 10 to 630 objects, in make soak to 2,550, small ones as often as large
// ones, every other one with 1 to disksAtMost volumes.
func (l *lab) backupsOfSizes(t *testing.T, r *rand.Rand, n int) (all []sized) {
	t.Helper()
	doublings := sample(6, 8)
	var filled, disks []string
	for i := range doublings {
		filled = append(filled, l.namespace(t, fmt.Sprint("filled-", i)))
		l.fill(t, filled[i], smallest<<i)
	}
	for i := range disksAtMost {
		disks = append(disks, l.namespace(t, fmt.Sprint("disks-", i)))
		l.manyClaims(t, disks[i], stack.EBSClassNow, i+1)
	}
	for i := range n {
		b := sized{name: fmt.Sprintf("sized-%02d", i)}
		bits := int(math.Exp(r.Float64() * math.Log(float64(int(1)<<doublings)))) // 1 to 2^doublings-1, each doubling as likely
		for j, ns := range filled {
			if bits&(1<<j) != 0 {
				b.namespaces = append(b.namespaces, ns)
			}
		}
		if i%2 == 1 {
			b.namespaces = append(b.namespaces, disks[i/2%disksAtMost])
		}
		l.backup(t, b.name, "Completed", velerov1.BackupSpec{IncludedNamespaces: b.namespaces, VolumeSnapshotLocations: []string{location}})
		all = append(all, b)
	}
	return all
}

// fill makes n ConfigMaps.
func (l *lab) fill(t *testing.T, ns string, n int) {
	t.Helper()
	var group errgroup.Group
	group.SetLimit(16)
	for i := range n {
		group.Go(func() error {
			return l.Create(t.Context(), "configmaps", ns, fmt.Sprintf(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c-%d"},"data":{"text":%q}}`, i, strings.Repeat("some words ", 50)))
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
}

func (l *lab) estimate(t *testing.T, backup string) (e contract.RestoreEstimate) {
	t.Helper()
	out, err := l.Run(t.Context(), "restore", "estimate", backup, "-o", "json")
	if err == nil {
		err = json.Unmarshal([]byte(out), &e)
	}
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// restoreTimed restores a backup beside its originals and returns how long it took.
func (l *lab) restoreTimed(t *testing.T, b sized, n int) time.Duration {
	t.Helper()
	in := contract.RestoreInput{Name: fmt.Sprintf("sized-%03d", n), Spec: velerov1.RestoreSpec{BackupName: b.name, NamespaceMapping: map[string]string{}}}
	for _, ns := range b.namespaces {
		in.Spec.NamespaceMapping[ns] = fmt.Sprintf("%s-%03d", ns, n)
	}
	res := l.restore(t, in)
	return res.Completed.Sub(res.Started)
}
