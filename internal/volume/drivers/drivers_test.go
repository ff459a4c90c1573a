package drivers

import (
	"errors"
	"fmt"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/lifeboat-backup/lifeboat/internal/aws/ebs"
	"github.com/lifeboat-backup/lifeboat/internal/volume"
	"github.com/lifeboat-backup/lifeboat/internal/volume/csi"
	"github.com/lifeboat-backup/lifeboat/internal/volume/native"
)

// Which errors no retry mends is each driver's to say.
func TestPermanentErrors(t *testing.T) {
	contents := schema.GroupResource{Group: "snapshot.storage.k8s.io", Resource: "volumesnapshotcontents"}
	for name, tc := range map[string]struct {
		err         error
		native, csi bool
	}{
		"denied by EC2":       {fmt.Errorf("take: %w", ebs.ErrDenied), true, true},
		"no credentials":      {ebs.ErrCredentials, true, true},
		"EC2 does not answer": {ebs.ErrUnavailable, false, false},
		"no right":            {fmt.Errorf("take: %w", apierrors.NewForbidden(contents, "x", errors.New("no"))), false, true},
		"no such type":        {apierrors.NewNotFound(contents, "x"), false, true},
		"a conflict":          {apierrors.NewConflict(contents, "x", errors.New("no")), false, false},
		"another":             {errors.New("x"), false, false},
	} {
		for method, want := range map[volume.Snapshotter]bool{&native.Snapshots{}: tc.native, &csi.Snapshots{}: tc.csi} {
			if got := method.IsPermanent(tc.err); got != want {
				t.Errorf("%s: %T says %t", name, method, got)
			}
		}
	}
}
