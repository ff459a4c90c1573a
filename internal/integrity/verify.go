package integrity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
	"github.com/lifeboat-backup/lifeboat/internal/repository"
	"github.com/lifeboat-backup/lifeboat/internal/repository/beside"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// errGone says that the backup was deleted, or replaced by another of its name, meanwhile.
var errGone = errors.New("the backup is gone")

// Verify reads a backup back as a whole and looks its snapshots up, at the pace of the
// bandwidth, and writes what it found beside the backup. Damage is no error: that is what it is
// for. It may repeat, and goes on from its watermark; what an attempt before has written down
// is not read again.
func (r *Runner) Verify(ctx context.Context, p *heartbeat.Recorder, in contract.VerifyStoredInput) (contract.VerifiedBackup, error) {
	if err := archive.ValidateBackupName(in.Name); err != nil {
		return contract.VerifiedBackup{}, fmt.Errorf("name: %w", err)
	}
	bsl, st, err := r.locations.Get(ctx, in.Location)
	if err != nil {
		return contract.VerifiedBackup{}, err
	}
	res := contract.VerifiedBackup{Name: in.Name, Location: bsl.Name}
	last, err := beside.ReadVerification(ctx, st, in.Name, in.UID)
	if err != nil {
		return res, err
	}
	if last != nil && last.Asked.Equal(in.Asked) && !in.Asked.IsZero() {
		return *last.Result(bsl.Name, findingsTold), nil
	}
	v := &reading{Runner: r, recorder: p, store: st, layout: layout.Backup{Name: in.Name}, last: last}
	v.found = beside.Verification{Name: in.Name, UID: in.UID, Asked: in.Asked}
	err = v.readBackup(ctx)
	if err == nil {
		res, err = v.record(ctx, bsl)
	}
	if errors.Is(err, errGone) {
		res.Outcome = contract.VerificationGone
		return res, nil
	}
	if err != nil {
		return res, fmt.Errorf("verify backup %s: %w", in.Name, err)
	}
	return res, nil
}

// reading is the verification of one backup.
type reading struct {
	*Runner
	recorder *heartbeat.Recorder
	store    store.Store
	layout   layout.Backup
	doc      velerov1.Backup
	manifest archive.Manifest
	found    beside.Verification
	last     *beside.Verification // nil for none

	isLost       bool // the document was deleted
	isUnreadable bool // or is no document
	unsampled    bool // blocks of snapshots cannot be read
}

// readBackup reads the document, then everything that it leads to.
func (v *reading) readBackup(ctx context.Context) error {
	if err := v.readDocument(ctx); err != nil {
		return err
	}
	var err error
	if v.found.Digests, err = v.isOurs(ctx); err != nil {
		return err
	}
	if v.found.Digests {
		err = v.readArchive(ctx)
	} else {
		err = v.readVelero(ctx)
	}
	if err != nil {
		return err
	}
	return v.inspectSnapshots(ctx)
}

// isOurs goes by the document and by the files: a document may have lost what says it.
func (v *reading) isOurs(ctx context.Context) (bool, error) {
	if v.isLost || v.doc.Annotations[repository.AnnotationUID] != "" {
		return true, nil
	}
	_, err := v.store.Head(ctx, v.layout.Manifest())
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// noteDamage notes damage and takes it for no error.
func (v *reading) noteDamage(file string, err error) error {
	if !archive.IsDamaged(err) {
		return err
	}
	var corrupt *archive.CorruptError
	if errors.As(err, &corrupt) && strings.HasPrefix(corrupt.File, layout.BackupsDir) {
		file = corrupt.File
	}
	v.found.AddDamage(file, err.Error())
	return nil
}

// readDocument reads the Backup document. No manifest covers it: it is compared with what
// verifications before have found good, and with what else says the same. Nobody writes a
// document again after its commit: what expires later, or is held, lies beside it.
func (v *reading) readDocument(ctx context.Context) error {
	if v.last != nil {
		v.found.Good = v.last.GoodDocument(v.layout.Metadata())
	}
	key := v.layout.Metadata()
	data, err := repository.GetBytes(ctx, v.store, key)
	if errors.Is(err, store.ErrNotFound) {
		return v.missDocument(ctx, key)
	}
	if err != nil {
		v.isUnreadable = true
		return v.noteDamage(key, err)
	}
	v.found.Document, v.found.Bytes = archive.Digest(data), int64(len(data))
	if err := json.Unmarshal(data, &v.doc); err != nil {
		v.isUnreadable = true
		v.found.AddDamage(key, fmt.Sprintf("is no Backup document: %v", err))
		return nil
	}
	if uid := string(v.doc.UID); v.found.UID != "" && uid != v.found.UID {
		if v.last != nil {
			v.found.AddDamage(key, fmt.Sprintf("has the uid %q, and had %q", uid, v.found.UID))
			return nil
		}
		return errGone
	}
	v.checkDocument(key)
	return nil
}

// missDocument notes that the document was deleted, if the backup was not.
func (v *reading) missDocument(ctx context.Context, key string) (err error) {
	if v.isLost, err = repository.IsLost(ctx, v.store, v.layout.Name); err != nil {
		return err
	}
	if !v.isLost {
		return errGone
	}
	v.found.AddDamage(key, "the file is missing: no restore finds the backup until it is put back; `lifeboat backup delete` removes what is left of it")
	return nil
}

func (v *reading) checkDocument(key string) {
	switch name := v.doc.Name; {
	case name != v.layout.Name:
		v.found.AddDamage(key, fmt.Sprintf("is of backup %q", name))
	case v.doc.Annotations[repository.AnnotationUID] == "": // Velero's own server may write it again
	case v.found.Good != "" && v.found.Good != v.found.Document:
		v.found.AddDamage(key, fmt.Sprintf("is not what it was when a verification found it good: its digest was %s and is %s", v.found.Good, v.found.Document))
	}
}

// watermark is how far an attempt has come.
type watermark struct {
	Step  int                 `json:"step"`
	Found beside.Verification `json:"found"`
}

// readArchive reads back what the manifest lists, by the code that reads a new backup back.
func (v *reading) readArchive(ctx context.Context) error {
	key := v.layout.Manifest()
	data, err := repository.GetBytes(ctx, v.store, key)
	if errors.Is(err, store.ErrNotFound) {
		v.found.AddDamage(key, "the file is missing")
		return nil
	}
	if err != nil {
		return v.noteDamage(key, err)
	}
	arc, err := archive.Open(ctx, throttledSource{repository.NewSource(v.store), v.limiter}, v.layout)
	if err != nil {
		return v.noteDamage(key, err)
	}
	v.manifest = arc.Manifest()
	v.checkManifest(key, archive.Digest(data))
	var mark watermark
	if resumed, err := v.recorder.Resume(&mark); err == nil && resumed && mark.Found.UID == v.found.UID {
		v.found = mark.Found
	}
	return arc.VerifyFrom(ctx, mark.Step, func(n int64) {
		v.found.Bytes += n
		v.recorder.Count(0, n)
	}, func(next int, damage error) error {
		if damage != nil {
			if err := v.noteDamage(key, damage); err != nil {
				return err
			}
		}
		return v.recorder.Mark(watermark{next, v.found}, 0, v.found.Bytes)
	})
}

// checkManifest finds a manifest of another backup, or one that was put back in the place of
// the one with which the backup was committed.
func (v *reading) checkManifest(key, digest string) {
	committed := v.doc.Annotations[repository.AnnotationManifest]
	switch {
	case v.isLost || v.isUnreadable: // nothing to compare with
	case v.manifest.UID != string(v.doc.UID):
		v.found.AddDamage(key, fmt.Sprintf("is of another backup: its uid is %s, that of the document is %s", v.manifest.UID, v.doc.UID))
	case v.doc.Annotations[repository.AnnotationUID] == "":
		v.found.AddDamage(v.layout.Metadata(), "lacks the annotations with which the backup was committed")
	case committed != "" && committed != digest:
		v.found.AddDamage(key, fmt.Sprintf("is not the one with which the backup was committed: its digest is %s, the document says %s", digest, committed))
	}
}

// readVelero reads a backup of Velero's to its end. It has no digests: what is checked are the
// checksums of gzip and the form of the tarball.
func (v *reading) readVelero(ctx context.Context) error {
	isTarballThere := false
	var files []string
	err := v.store.List(ctx, layout.BackupDir(v.layout.Name), func(i store.Info) error {
		switch {
		case i.Key == v.layout.Tarball():
			isTarballThere = true
		case strings.HasSuffix(i.Key, ".gz"):
			files = append(files, i.Key)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if !isTarballThere {
		v.found.AddDamage(v.layout.Tarball(), "the file is missing")
	} else if err := v.readFile(ctx, v.layout.Tarball(), v.scanTarball); err != nil {
		return err
	}
	for _, key := range files {
		if err := v.readFile(ctx, key, unzip); err != nil {
			return err
		}
	}
	return nil
}

// readFile has check read a file, and counts its bytes.
func (v *reading) readFile(ctx context.Context, key string, check func(context.Context, io.ReadCloser) error) error {
	body, _, err := v.store.Get(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		v.found.AddDamage(key, "the file is missing")
		return nil
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", key, err)
	}
	counted := &countingReader{ReadCloser: throttle(ctx, body, v.limiter)}
	err = errors.Join(check(ctx, counted), body.Close())
	v.found.Bytes += counted.n
	v.recorder.Count(0, counted.n)
	return v.noteDamage(key, err)
}

func (v *reading) scanTarball(ctx context.Context, body io.ReadCloser) error {
	_, err := archive.Scan(ctx, body, archive.DefaultHostileLimits(), func(archive.Key, []byte) error { return nil })
	return err
}

// unzip reads a compressed file to its end. What is wrong with its bytes is damage, what is
// wrong with reading them is not.
func unzip(_ context.Context, body io.ReadCloser) error {
	zr, err := gzip.NewReader(body)
	if err == nil {
		var n int64
		n, err = io.Copy(io.Discard, io.LimitReader(zr, repository.MaxDocument+1))
		if err == nil && n > repository.MaxDocument {
			return fmt.Errorf("longer than %d bytes: %w", repository.MaxDocument, archive.ErrHostile)
		}
	}
	var broken flate.CorruptInputError
	for _, damage := range []error{gzip.ErrHeader, gzip.ErrChecksum, io.ErrUnexpectedEOF, io.EOF} {
		if errors.Is(err, damage) || errors.As(err, &broken) {
			return fmt.Errorf("%w: %w", archive.ErrCorrupt, err)
		}
	}
	return err
}

type countingReader struct {
	io.ReadCloser
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.n += int64(n)
	return n, err
}
