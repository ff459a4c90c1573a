// Package stored reads the objects of a backup out of the bucket by signed URLs: what travels
// through Temporal is URLs, and never an object. Everything is verified against the manifest.
package stored

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/change"
	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/resource/compare"
	"github.com/lifeboat-backup/lifeboat/internal/temporal"
	"github.com/lifeboat-backup/lifeboat/starter/internal/fetch"

	utiljson "k8s.io/apimachinery/pkg/util/json"
)

// ErrNoManifest says that Velero made the backup, which has no index.
var ErrNoManifest = errors.New("the backup was made by Velero and has no manifest")

// Read asks the worker.
type Read func(context.Context, contract.ReadInput) (contract.ReadResult, error)

// OpenBackup opens a backup; ErrNoManifest if Velero made it, temporal.ErrNotFound if there is none.
func OpenBackup(ctx context.Context, read Read, backup, location string, trust fetch.Options) (*archive.Archive, error) {
	client, err := fetch.New(trust)
	if err != nil {
		return nil, err
	}
	files := layout.Backup{Name: backup}
	src := &source{client: client, read: read, backup: backup, location: location, urls: map[string]string{}, names: map[string]string{
		files.Manifest(): contract.FileManifest, files.Index(): contract.FileIndex, files.Tarball(): contract.FileContents,
	}}
	_, err = src.urlOf(ctx, files.Manifest())
	if errors.Is(err, temporal.ErrNotFound) {
		if _, err = src.urlOf(ctx, files.Tarball()); err != nil {
			return nil, err // there is no such backup at all
		}
		err = ErrNoManifest
	}
	var a *archive.Archive
	if err == nil {
		a, err = archive.Open(ctx, src, files)
	}
	if err != nil {
		return nil, fmt.Errorf("backup %q: %w", backup, err)
	}
	return a, nil
}

// source is a backup's files by signed URL, which lives longer than a command.
type source struct {
	client           *fetch.Client
	read             Read
	backup, location string
	names            map[string]string // what contract calls the files, by key

	mu   sync.Mutex
	urls map[string]string
}

func (s *source) urlOf(ctx context.Context, file string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if url, ok := s.urls[file]; ok {
		return url, nil
	}
	res, err := s.read(ctx, contract.ReadInput{Verb: contract.ReadBackupURL, Name: s.backup, Location: s.location, File: s.names[file]})
	if err != nil {
		return "", err
	}
	s.urls[file], s.location = res.URL, cmp.Or(res.Location, s.location) // the others lie there, too: nobody has to look in every location again
	return res.URL, nil
}

// ReadRange implements archive.Source.
func (s *source) ReadRange(ctx context.Context, file string, off, n int64) (io.ReadCloser, error) {
	url, err := s.urlOf(ctx, file)
	if err != nil {
		return nil, err
	}
	return s.client.OpenRange(ctx, url, off, n)
}

// Object reads an object; nil if the backup does not have it. The resource of the key may be
// written as people do; the one that it is comes back.
func Object(ctx context.Context, a *archive.Archive, key archive.Key) (obj map[string]any, resource string, err error) {
	if key.Resource = change.ResolveResource(a.Resources(), key.Resource); key.Resource == "" {
		return nil, "", nil
	}
	body, _, err := a.Read(ctx, key)
	if errors.Is(err, archive.ErrNotFound) {
		return nil, key.Resource, nil
	}
	if err != nil {
		return nil, key.Resource, err
	}
	if err := utiljson.Unmarshal(body, &obj); err != nil {
		return nil, key.Resource, fmt.Errorf("decode %s: %w", key, err)
	}
	return obj, key.Resource, nil
}

// ObjectDiff is how an object differs between two backups.
type ObjectDiff struct {
	Resource  string  `json:"resource"`
	Namespace string  `json:"namespace,omitempty"`
	Name      string  `json:"name"`
	From      string  `json:"from"`
	To        string  `json:"to"`
	Change    string  `json:"change"` // added, removed, changed or same
	Fields    []Field `json:"fields,omitempty"`
}

// Field is one that differs. Of a Secret the values are masked: different letters are
// different values.
type Field struct {
	Path string `json:"path"`
	From any    `json:"from,omitempty"`
	To   any    `json:"to,omitempty"`
}

// Diff compares an object in two backups field by field, without its status and what the API
// server keeps of its own.
func Diff(ctx context.Context, from, to *archive.Archive, key archive.Key) (ObjectDiff, error) {
	older, resource, err := Object(ctx, from, key)
	if err != nil {
		return ObjectDiff{}, err
	}
	newer, inNewer, err := Object(ctx, to, key)
	if err != nil {
		return ObjectDiff{}, err
	}
	if inNewer != "" {
		resource = inNewer
	}
	d := ObjectDiff{Resource: resource, Namespace: key.Namespace, Name: key.Name, From: from.Manifest().Backup, To: to.Manifest().Backup}
	switch {
	case resource == "":
		return d, fmt.Errorf("%s: %w: no type %q, or several, in backups %q and %q; write its plural, and its group if several have it, such as deployments.apps", key, temporal.ErrNotFound, key.Resource, d.From, d.To)
	case older == nil && newer == nil:
		return d, fmt.Errorf("%s: %w: neither backup %q nor %q has it", key, temporal.ErrNotFound, d.From, d.To)
	case older == nil:
		d.Change = change.Added
		return d, nil
	case newer == nil:
		d.Change = change.Removed
		return d, nil
	}
	d.Change = "same"
	for _, f := range compare.Diff(resource, older, newer, nil) {
		d.Change = change.Changed
		d.Fields = append(d.Fields, Field{Path: f.Path, From: f.Backup, To: f.Live})
	}
	return d, nil
}
