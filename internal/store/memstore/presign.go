package memstore

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/aws/awserr"
	"github.com/lifeboat-backup/lifeboat/internal/store"
)

// urlBase is where signed URLs point. Nothing listens there: FetchURL reads them.
const urlBase = "http://memstore.invalid/"

// Presign returns a URL that FetchURL reads until ttl has passed. See store.Store.
func (s *Store) Presign(ctx context.Context, key string, ttl time.Duration) (string, error) {
	if err := checkReadable(OpPresign, key); err != nil {
		return "", err
	}
	if ttl <= 0 {
		return "", awserr.Fail(string(OpPresign), key, store.ErrInvalid, "a URL cannot live for %s", ttl)
	}
	if err := s.beginRequest(ctx, OpPresign, key); err != nil {
		return "", err
	}
	expires := strconv.FormatInt(time.Now().Add(ttl).UnixNano(), 10)
	query := url.Values{"expires": {expires}, "signature": {s.signURL(key, expires)}}
	return urlBase + (&url.URL{Path: key}).EscapedPath() + "?" + query.Encode(), nil
}

func (s *Store) signURL(key, expires string) string {
	mac := hmac.New(sha256.New, []byte(s.secret))
	_, _ = fmt.Fprintf(mac, "%s\n%s", expires, key) // a hash takes all bytes
	return hex.EncodeToString(mac.Sum(nil))
}

// FetchURL reads a URL that this store has signed, as store.Check does.
func (s *Store) FetchURL(ctx context.Context, address string) ([]byte, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("fetch signed URL: %w", err)
	}
	key, expires := strings.TrimPrefix(u.Path, "/"), u.Query().Get("expires")
	until, err := strconv.ParseInt(expires, 10, 64)
	if err != nil || !hmac.Equal([]byte(u.Query().Get("signature")), []byte(s.signURL(key, expires))) || time.Now().UnixNano() > until {
		return nil, awserr.Fail("fetch signed URL", key, store.ErrAccessDenied, "not signed by this store, or expired")
	}
	o, err := s.findObject(ctx, OpGet, key)
	return bytes.Clone(o.body), err
}
