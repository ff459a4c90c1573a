package store

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/lifeboat-backup/lifeboat/internal/archive/layout"
	"github.com/lifeboat-backup/lifeboat/internal/aws/awserr"
)

// checkDir is where probes live: a directory that Velero tolerates.
const checkDir = layout.PluginDir + "check/"

// Conditional writes a throwaway object twice on condition that it is absent,
// and removes it. A store that lets the second write pass, or does not know
// the condition, has no conditional writes. Network failures are errors and
// are probed again the next time.
func (s *S3) Conditional(ctx context.Context) (bool, error) {
	if s.readOnly {
		return false, awserr.Fail("probe conditional writes", "", ErrReadOnly, "spec.accessMode is ReadOnly")
	}
	s.probe.Lock()
	defer s.probe.Unlock()
	if s.probed != nil {
		return *s.probed, nil
	}
	yes, err := s.probeConditional(ctx, checkDir+"conditional-"+rand.Text())
	if err != nil {
		return false, err
	}
	if !yes {
		s.log.WarnContext(ctx, "the object store has no conditional writes: two backups of one name may collide", "bucket", s.bucket)
	}
	s.probed = &yes
	return yes, nil
}

func (s *S3) probeConditional(ctx context.Context, key string) (bool, error) {
	body := []byte("lifeboat: probe for conditional writes, safe to delete\n")
	once := PutOptions{IfAbsent: true, ContentType: "text/plain"}
	_, err := s.putOnce(ctx, key, body, once)
	if errors.Is(err, ErrUnsupported) || errors.Is(err, ErrInvalid) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	_, err = s.putOnce(ctx, key, body, once)
	if cleanup := s.Delete(ctx, key); cleanup != nil {
		s.log.WarnContext(ctx, "probe object left behind", "key", s.fullKey(key), "error", cleanup)
	}
	if err == nil || errors.Is(err, ErrExists) {
		return err != nil, nil
	}
	return false, err
}
