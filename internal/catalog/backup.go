package catalog

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/failure"
	"github.com/lifeboat-backup/lifeboat/internal/report"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/repository/beside"
	"github.com/lifeboat-backup/lifeboat/internal/repository/packed"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

func (c *Reader) findBackup(ctx context.Context, in contract.ReadInput) (repository.Answer[*velerov1.Backup], []contract.UnreadLocation, error) {
	found, unread, err := repository.FindDocument[velerov1.Backup](ctx, c.Locations, in.Location, in.Name, "backup", layout.Backup{Name: in.Name}.Metadata())
	if failure.TypeOf(err) == contract.ErrTypeNotFound {
		err = cmp.Or(c.lost(ctx, in), err)
	}
	return found, unread, err
}

// lost tells that the document of a backup was deleted, and nothing else of it; nil if that is not so.
func (c *Reader) lost(ctx context.Context, in contract.ReadInput) error {
	all, err := repository.AskAll(ctx, c.Locations, in.Location, repository.DocumentTimeout, func(ctx context.Context, a repository.Answer[bool]) (bool, error) {
		return repository.IsLost(ctx, a.Store, in.Name)
	})
	if err != nil {
		return err
	}
	for _, a := range all {
		if a.Value {
			return failure.NotFound("backup %q: its document %s was deleted from storage location %s, and what is left cannot be restored without: put it back from an older version or a copy of the bucket, or `lifeboat backup delete %s`",
				in.Name, layout.Backup{Name: in.Name}.Metadata(), a.Location.Name, in.Name)
		}
	}
	return nil
}

func (c *Reader) readBackup(ctx context.Context, in contract.ReadInput) (contract.ReadResult, error) {
	found, unread, err := c.findBackup(ctx, in)
	if err != nil {
		return contract.ReadResult{}, err
	}
	files, st := layout.Backup{Name: in.Name}, found.Store
	found.Value.Spec.StorageLocation = found.Location.Name
	res := contract.ReadResult{Backup: found.Value, Unread: unread}
	if res.Results, err = readResults(ctx, st, files.Results()); err != nil {
		return res, err
	}
	corrupt, err := addVerification(ctx, found, &res)
	if err != nil {
		return res, err
	}
	if err := addRetention(ctx, found, &res); err != nil {
		return res, err
	}
	proven, err := beside.ReadRehearsals(ctx, st, in.Name, string(found.Value.UID))
	if err != nil {
		return res, err
	}
	for _, r := range proven {
		res.Rehearsals = append(res.Rehearsals, r.Summary())
	}
	m, err := fillDetails(ctx, st, files, res.Details)
	if err == nil {
		res.Volumes, res.MoreVolumes, err = backupVolumes(ctx, st, m, files)
	}
	if corrupt && archive.IsDamaged(err) {
		err = nil // what was found says so
	}
	return res, err
}

// addRetention tells what people have said of how long it is kept.
func addRetention(ctx context.Context, found repository.Answer[*velerov1.Backup], res *contract.ReadResult) error {
	said, err := beside.ReadRetentionOf(ctx, found.Store, found.Value.Name)
	if err != nil {
		return err
	}
	kept := said.Backup(repository.EntryOf(found.Value, 0))
	res.Details.Held = kept.Hold
	switch end := kept.ExpiresAt(); {
	case kept.Set:
		res.Details.ExpiresSet = &end
	case !end.Equal(kept.Expires):
		res.Details.ExpiresLater = &end
	}
	return nil
}

// addVerification tells what the last verification has found.
func addVerification(ctx context.Context, found repository.Answer[*velerov1.Backup], res *contract.ReadResult) (corrupt bool, err error) {
	res.Details = &contract.Details{UID: string(found.Value.UID), Conditional: found.Value.Annotations[repository.AnnotationConditional] == "true", Trace: found.Value.Annotations[repository.AnnotationTrace]}
	v, err := beside.ReadVerification(ctx, found.Store, found.Value.Name, string(found.Value.UID))
	if err != nil || v == nil {
		return false, err
	}
	res.Details.Verification = v.Result(found.Location.Name, findingsInAnswer)
	if v.IsCorrupt() {
		found.Value.Status.Phase = contract.VerificationCorrupt
	}
	return v.IsCorrupt(), nil
}

// findingsInAnswer bounds the findings of a verification in an answer.
const findingsInAnswer = 100

// fillDetails fills in d what is known beyond Velero's document, and returns the manifest,
// which a backup of Velero does not have.
func fillDetails(ctx context.Context, st store.Store, l layout.Backup, d *contract.Details) (archive.Manifest, error) {
	data, err := repository.GetBytes(ctx, st, l.Manifest())
	if errors.Is(err, store.ErrNotFound) { // Velero's
		info, err := st.Head(ctx, l.Tarball())
		d.Bytes = info.Size
		return archive.Manifest{}, err
	}
	if err != nil {
		return archive.Manifest{}, err
	}
	m, err := archive.DecodeManifest(l.Manifest(), data)
	d.Cluster, d.Bytes = m.Cluster, m.Totals.TarballBytes
	d.Members, d.ManifestSHA = int(m.Totals.Members), archive.Digest(data)
	return m, err
}

// readResults reads a results file and cuts it to what an answer may carry.
func readResults(ctx context.Context, st store.Store, key string) (raw json.RawMessage, err error) {
	data, err := repository.GetBytes(ctx, st, key)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var doc map[string]map[string]json.RawMessage
	if err := packed.Decode(data, &doc); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", key, archive.ErrCorrupt, err)
	}
	return json.Marshal(cutResults(doc))
}

// cutResults keeps the first lines: so many of each kind, over all groups and namespaces, and of
// each only its beginning. It says of how many it is silent.
func cutResults(doc map[string]map[string]json.RawMessage) map[string]map[string]any {
	out := map[string]map[string]any{}
	for kind, groups := range doc {
		cut := lineCutter{left: allLinesInAnswer}
		out[kind] = map[string]any{}
		for _, group := range slices.Backward(slices.Sorted(maps.Keys(groups))) { // those of namespaces, which may be many, after those of Velero
			var lines []string
			var byNamespace map[string][]string
			switch raw := groups[group]; {
			case json.Unmarshal(raw, &lines) == nil:
				out[kind][group] = cut.take(lines, linesInAnswer)
			case json.Unmarshal(raw, &byNamespace) == nil:
				kept := map[string][]string{}
				for _, ns := range slices.Sorted(maps.Keys(byNamespace)) {
					if some := cut.take(byNamespace[ns], linesInAnswer/10); len(some) > 0 {
						kept[ns] = some
					}
				}
				out[kind][group] = kept
			}
		}
		if cut.dropped > 0 {
			velero, _ := out[kind]["velero"].([]string)
			out[kind]["velero"] = append(velero, fmt.Sprintf("and %d lines more; the results file has them all", cut.dropped))
		}
	}
	return out
}

// lineCutter keeps lines until there are enough.
type lineCutter struct{ left, dropped int }

// allLinesInAnswer bounds the lines of a kind, over all groups.
const allLinesInAnswer = 500

// longestLine bounds a line of an answer, in bytes: with allLinesInAnswer of two kinds an answer
// stays below the 2 MB that Temporal takes.
const longestLine = 1000

func (c *lineCutter) take(lines []string, most int) []string {
	n := min(len(lines), most, c.left)
	c.left, c.dropped = c.left-n, c.dropped+len(lines)-n
	kept := make([]string, n)
	for i, line := range lines[:n] {
		kept[i] = report.CutText(line, longestLine)
	}
	return kept
}

func (c *Reader) backupURL(ctx context.Context, in contract.ReadInput) (contract.ReadResult, error) {
	found, _, err := c.findBackup(ctx, in)
	if err != nil {
		return contract.ReadResult{}, err
	}
	l := layout.Backup{Name: in.Name}
	if err := checkSize(ctx, found.Store, in, l); err != nil {
		return contract.ReadResult{}, err
	}
	return signFile(ctx, found.Location, found.Store, in, map[string]string{
		contract.FileContents: l.Tarball(), contract.FileLogs: l.Logs(), contract.FileResults: l.Results(),
		contract.FileResourceList: l.ResourceList(), contract.FileManifest: l.Manifest(), contract.FileIndex: l.Index(),
	})
}

// checkSize refuses a tarball that is not as long as its manifest says: whoever reads it sees
// right checksums of the members that are left. One of Velero's has no manifest.
func checkSize(ctx context.Context, st store.Store, in contract.ReadInput, l layout.Backup) error {
	if in.File != contract.FileContents {
		return nil
	}
	m, err := repository.ReadManifest(ctx, st, in.Name)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	info, err := st.Head(ctx, l.Tarball())
	if errors.Is(err, store.ErrNotFound) {
		return nil // as signFile says
	}
	if err != nil {
		return err
	}
	if f, known := m.File(l.Tarball()); known && f.Size != info.Size {
		return fmt.Errorf("%s has %d bytes, the backup had %d: %w", l.Tarball(), info.Size, f.Size, archive.ErrCorrupt)
	}
	return nil
}

func signFile(ctx context.Context, bsl *velerov1.BackupStorageLocation, st store.Store, in contract.ReadInput, keys map[string]string) (contract.ReadResult, error) {
	key, ok := keys[in.File]
	if !ok {
		return contract.ReadResult{}, failure.Invalid("file: %q is not a file that can be read", in.File)
	}
	if _, err := st.Head(ctx, key); errors.Is(err, store.ErrNotFound) {
		return contract.ReadResult{}, failure.NotFound("file: %s of %q does not exist", in.File, in.Name)
	} else if err != nil {
		return contract.ReadResult{}, err
	}
	url, err := st.Presign(ctx, key, urlTTL)
	if errors.Is(err, store.ErrUnsupported) {
		err = refuseToSign(bsl, in, key)
	}
	return contract.ReadResult{URL: url, Location: bsl.Name}, err
}

// refuseToSign says how to get at a file of a location that encrypts with a key of the
// customer's own, which no URL can carry.
func refuseToSign(bsl *velerov1.BackupStorageLocation, in contract.ReadInput, key string) error {
	o := bsl.Spec.ObjectStorage
	return failure.Unusable("the file %q of %q cannot be fetched: storage location %s encrypts with a key of your own (SSE-C), and a URL cannot carry it; copy the file with the key: aws s3 cp --sse-c AES256 --sse-c-key fileb://KEY-FILE s3://%s .",
		in.File, in.Name, bsl.Name, path.Join(o.Bucket, o.Prefix, key))
}
