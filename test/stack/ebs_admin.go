package stack

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/lifeboat-backup/lifeboat/test/stack/ebssim"
)

// State is all volumes, snapshots and instances, whatever a client may see.
func (e *EBS) State(ctx context.Context) (ebssim.State, error) {
	return ask[ebssim.State](ctx, e, http.MethodGet, "state", nil)
}

// VolumeDir is the directory with the data of a volume.
func (e *EBS) VolumeDir(ctx context.Context, id string) (string, error) {
	volume, err := ask[ebssim.VolumeState](ctx, e, http.MethodGet, "volumes/"+url.PathEscape(id), nil)
	return volume.Dir, err
}

// DestroyVolume makes a volume vanish, attached or not: a disk that is lost.
func (e *EBS) DestroyVolume(ctx context.Context, id string) error {
	return e.tell(ctx, http.MethodDelete, "volumes/"+url.PathEscape(id), nil)
}

// EnableSpareKey has SpareKey enabled or disabled. The other keys stay enabled.
func (e *EBS) EnableSpareKey(ctx context.Context, enabled bool) error {
	keys := []string{e.VolumeKey}
	if enabled {
		keys = append(keys, e.SpareKey)
	}
	return e.tell(ctx, http.MethodPost, "keys", keys)
}

// Audit is the calls of one action, or of all if it is empty, from a time on,
// oldest first.
func (e *EBS) Audit(ctx context.Context, action string, since time.Time) ([]ebssim.Call, error) {
	query := url.Values{"action": {action}}
	if !since.IsZero() {
		query.Set("since", since.Format(time.RFC3339Nano))
	}
	return ask[[]ebssim.Call](ctx, e, http.MethodGet, "audit?"+query.Encode(), nil)
}

// ClearAudit empties the log of calls.
func (e *EBS) ClearAudit(ctx context.Context) error {
	return e.tell(ctx, http.MethodDelete, "audit", nil)
}

// AddFault makes something go wrong, until it is spent or removed.
func (e *EBS) AddFault(ctx context.Context, fault ebssim.Fault) (ebssim.Fault, error) {
	return ask[ebssim.Fault](ctx, e, http.MethodPost, "faults", fault)
}

// Hit tells whether each fault of a volume was hit. It is an error if there is none.
func (e *EBS) Hit(ctx context.Context, volume string) (bool, error) {
	faults, err := ask[[]ebssim.Fault](ctx, e, http.MethodGet, "faults", nil)
	if err != nil {
		return false, err
	}
	faults = slices.DeleteFunc(faults, func(f ebssim.Fault) bool { return f.Volume != volume })
	if len(faults) == 0 {
		return false, fmt.Errorf("faults of %s: none", volume)
	}
	return !slices.ContainsFunc(faults, func(f ebssim.Fault) bool { return f.Hits == 0 }), nil
}

// RemoveFault removes one.
func (e *EBS) RemoveFault(ctx context.Context, id string) error {
	return e.tell(ctx, http.MethodDelete, "faults/"+url.PathEscape(id), nil)
}

// SetLimits changes limits and timings; it gives back those before, to restore them.
func (e *EBS) SetLimits(ctx context.Context, change func(*ebssim.Limits)) (before ebssim.Limits, err error) {
	before, err = ask[ebssim.Limits](ctx, e, http.MethodGet, "limits", nil)
	if err != nil {
		return before, err
	}
	next, err := ask[ebssim.Limits](ctx, e, http.MethodGet, "limits", nil) // a copy of its own: before shares no map
	if err != nil {
		return before, err
	}
	change(&next)
	return before, e.tell(ctx, http.MethodPost, "limits", next)
}

// MoveSnapshot puts a snapshot into state pending (and keeps it there), completed
// or error.
func (e *EBS) MoveSnapshot(ctx context.Context, id, state string) error {
	return e.tell(ctx, http.MethodPost, "snapshots/"+url.PathEscape(id), map[string]string{"state": state})
}

// RenameSnapshot makes a snapshot the one that an account of the past had, of a volume of the past.
func (e *EBS) RenameSnapshot(ctx context.Context, id, to, volumeID string) error {
	return e.tell(ctx, http.MethodPost, "snapshots/"+url.PathEscape(id), map[string]string{"id": to, "volumeID": volumeID})
}

// SetRecycleBin makes deleted snapshots stay in the bin by these rules; none
// empties it for the future.
func (e *EBS) SetRecycleBin(ctx context.Context, rules ...ebssim.RetentionRule) error {
	return e.tell(ctx, http.MethodPost, "recyclebin", append([]ebssim.RetentionRule{}, rules...))
}

// AddRole makes a role known that web identities can assume, and gives its ARN.
func (e *EBS) AddRole(ctx context.Context, r ebssim.Role) (arn string, err error) {
	return fmt.Sprintf("arn:aws:iam::%s:role/%s", e.Account, r.Name), e.tell(ctx, http.MethodPost, "roles", r)
}

// Associate gives the pods of a service account a role, as an association of EKS Pod Identity does.
func (e *EBS) Associate(ctx context.Context, a ebssim.Association) error {
	return e.tell(ctx, http.MethodPost, "associations", a)
}

// AddInstance makes a machine known that volumes can be attached to.
func (e *EBS) AddInstance(ctx context.Context, id, zone string) error {
	return e.tell(ctx, http.MethodPost, "instances", ebssim.Instance{ID: id, Zone: zone})
}

// RemoveInstance forgets one; its volumes are detached.
func (e *EBS) RemoveInstance(ctx context.Context, id string) error {
	return e.tell(ctx, http.MethodDelete, "instances/"+url.PathEscape(id), nil)
}

func (e *EBS) tell(ctx context.Context, method, path string, body any) error {
	_, err := ask[any](ctx, e, method, path, body)
	return err
}

// ask calls the simulator's admin API and reads its answer.
func ask[Out any](ctx context.Context, e *EBS, method, path string, body any) (Out, error) {
	var out Out
	answer, err := e.do(ctx, method, path, body)
	if err == nil {
		err = json.Unmarshal(answer, &out)
	}
	if err != nil {
		return out, fmt.Errorf("ebssim: %s %s: %w", strings.ToLower(method), path, err)
	}
	return out, nil
}

func (e *EBS) do(ctx context.Context, method, path string, body any) ([]byte, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, e.Endpoint+"/_sim/"+path, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+e.AdminToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, strings.TrimSpace(string(answer)))
	}
	return answer, err
}
