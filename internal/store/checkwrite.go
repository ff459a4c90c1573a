package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"
)

func (c *check) tryConditional(ctx context.Context) (string, error) {
	yes, err := c.store.Conditional(ctx)
	if err == nil && !yes {
		err = errors.New("the store ignores or refuses If-None-Match: *")
	}
	return "", err
}

// tryCompose joins parts that are large enough for a server-side copy, small bytes, and again
// a copy, as sealing a backup does. Of the three parts that are sent the first two are not of
// one length, which some stores refuse.
func (c *check) tryCompose(ctx context.Context) (string, error) {
	large := bytes.Repeat([]byte("lifeboat"), (minCopy+8)/8)
	if err := c.store.Put(ctx, c.dir+"large", large, PutOptions{}); err != nil {
		return "", err
	}
	copied, shorter := Part{Key: c.dir + "large", Size: int64(len(large))}, Part{Key: c.dir + "large", Size: minCopy}
	parts := []Part{copied, shorter, {Inline: c.small}, copied}
	if err := c.store.Compose(ctx, c.dir+"composed", parts, PutOptions{}); err != nil {
		return "", err
	}
	r, _, err := c.store.Get(ctx, c.dir+"composed")
	if err != nil {
		return "", err
	}
	want := bytes.Join([][]byte{large, large[:minCopy], c.small, large}, nil)
	return fmt.Sprintf("%d bytes from %d parts", len(want), len(parts)), compareBody(r, want)
}

// partCopier is implemented by stores that learn whether parts are copied on
// the store's side.
type partCopier interface {
	PartCopyMissing() bool
	WantsEqualParts() bool
}

func (c *check) tryPartCopy(context.Context) (string, error) {
	switch pc, ok := c.store.(partCopier); {
	case ok && pc.PartCopyMissing():
		return "", errors.New("the store does not implement UploadPartCopy")
	case ok && pc.WantsEqualParts():
		return "", errors.New("the store wants the parts of an upload to be of equal length, which those of a backup are not")
	}
	return "", nil
}

// urlFetcher is implemented by stores that can follow their own signed URLs.
type urlFetcher interface {
	FetchURL(ctx context.Context, url string) ([]byte, error)
}

func (c *check) tryPresign(ctx context.Context) (string, error) {
	url, err := c.store.Presign(ctx, c.dir+"small", time.Minute)
	if err != nil {
		return "", err
	}
	f, ok := c.store.(urlFetcher)
	if !ok {
		return "signed, not followed", nil
	}
	body, err := f.FetchURL(ctx, url)
	if err == nil && !bytes.Equal(body, c.small) {
		err = errors.New("the URL yields other bytes than were written")
	}
	if err != nil {
		return "", fmt.Errorf("%w (publicUrl must be reachable from where URLs are used; from this worker it was tried)", err)
	}
	return "", nil
}

func (c *check) tryDelete(ctx context.Context) (string, error) {
	n, err := c.store.DeletePrefix(ctx, c.dir)
	if err != nil {
		return "", err
	}
	if _, err := c.store.Head(ctx, c.dir+"small"); !errors.Is(err, ErrNotFound) {
		return "", errors.Join(errors.New("an object is still there after its deletion"), err)
	}
	return fmt.Sprintf("%d objects", n), nil
}
