package rehearsal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/archive"
)

// Bounds of the size of a range of addresses of Services, in bits of its prefix: an API
// server takes none that is wider, and none that is narrower is of use.
const (
	widestRange, narrowestRange = 12, 28
	range6                      = 112
)

// serviceRange is the range that the backed-up cluster took the addresses of Services from: that
// of its ServiceCIDR or, in clusters before 1.33, the widest of which the Service "kubernetes"
// has the first address; "" if the backup holds neither.
func serviceRange(ctx context.Context, a *archive.Archive) (string, error) {
	var of struct {
		Spec struct {
			CIDRs     []string `json:"cidrs"`
			ClusterIP string   `json:"clusterIP"`
		} `json:"spec"`
	}
	for _, k := range []archive.Key{
		{Resource: "servicecidrs.networking.k8s.io", Name: "kubernetes"}, {Resource: "services", Namespace: "default", Name: "kubernetes"},
	} {
		raw, _, err := a.Read(ctx, k)
		if errors.Is(err, archive.ErrNotFound) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("read the range of Services: %w", err)
		}
		if json.Unmarshal(raw, &of) != nil {
			continue // it is told when it is restored
		}
		if len(of.Spec.CIDRs) > 0 && allPrefixes(of.Spec.CIDRs) {
			return strings.Join(of.Spec.CIDRs, ","), nil
		}
	}
	return rangeOf(of.Spec.ClusterIP), nil
}

// allPrefixes says that all are ranges of addresses: they become an argument of a program.
func allPrefixes(all []string) bool {
	for _, cidr := range all {
		if _, err := netip.ParsePrefix(cidr); err != nil {
			return false
		}
	}
	return len(all) <= 2
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
