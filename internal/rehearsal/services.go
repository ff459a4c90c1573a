package rehearsal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
)

// Bounds of the size of a range of addresses of Services, in bits of its prefix: an API
// server takes none that is wider, and none that is narrower is of use.
const (
	widestRange, narrowestRange = 12, 28
	range6                      = 112
)

// serviceRange is the range that the backed-up cluster took the addresses of Services from:
// the widest of which the Service "kubernetes" has the first address, "" if the backup does
// not hold it.
func serviceRange(ctx context.Context, a *archive.Archive) (string, error) {
	raw, _, err := a.Read(ctx, archive.Key{Resource: "services", Namespace: "default", Name: "kubernetes"})
	if errors.Is(err, archive.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read the range of Services: %w", err)
	}
	var svc struct {
		Spec struct {
			ClusterIP string `json:"clusterIP"`
		} `json:"spec"`
	}
	if json.Unmarshal(raw, &svc) != nil {
		return "", nil // it is told when it is restored
	}
	return rangeOf(svc.Spec.ClusterIP), nil
}

func rangeOf(first string) string {
	ip, err := netip.ParseAddr(first)
	if err != nil || ip.Is4In6() {
		return ""
	}
	from, to := widestRange, narrowestRange
	if ip.Is6() {
		from, to = range6, range6
	}
	for bits := from; bits <= to; bits++ {
		prefix, err := ip.Prefix(bits)
		if err == nil && prefix.Addr().Next() == ip {
			return prefix.String()
		}
	}
	return ""
}
