package schedule

import (
	"context"
	"fmt"
	"strings"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// templates tells of templates whose backups fail as things are now. That is no error: a location may
// be back, and a ConfigMap be there, before a schedule is due.
type templates struct {
	*Service
	locations map[string]error // by name: one that does not answer is waited for once
}

func (t *templates) warn(ctx context.Context, d *contract.Schedule) (warnings []string) {
	if t.Drills {
		return nil
	}
	for _, err := range []error{t.checkLocation(ctx, d.Spec.Template.StorageLocation), t.checkPolicies(ctx, &d.Spec.Template)} {
		if err != nil {
			warnings = append(warnings, "its backups fail as things are: "+err.Error())
		}
	}
	return warnings
}

func (t *templates) checkLocation(ctx context.Context, name string) error {
	err, known := t.locations[name]
	if known {
		return err
	}
	bsl, err := t.Config.Location(name)
	if err == nil {
		if err = t.Locations.Validate(ctx, bsl); err != nil {
			err = fmt.Errorf("storage location %q is Unavailable: %w", bsl.Name, err)
		}
	}
	t.locations[name] = err
	return err
}

func (t *templates) checkPolicies(ctx context.Context, spec *velerov1.BackupSpec) error {
	if t.Policies == nil {
		return nil
	}
	err := t.Policies(ctx, spec)
	if err == nil {
		return nil
	}
	if rest, ok := strings.CutPrefix(err.Error(), "spec."); ok { // of a backup
		return fmt.Errorf("spec.template.%s", rest)
	}
	return err
}
