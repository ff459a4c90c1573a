//go:build stack

package store_test

import (
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/store"
	"github.com/lifeboat-backup/lifeboat/internal/store/storetest"
)

// The checksum settings change what goes over the wire most: with none, with
// the default and with a strong one. CRC64NVME is left out: versitygw 1.8.0
// gives a part copied by range the checksum of its whole source, which turns
// the checksum of the composed object wrong.
func TestConformance(t *testing.T) {
	for name, config := range map[string]map[string]string{
		"default":    nil,
		"nochecksum": {"checksumAlgorithm": ""},
		"sha256":     {"checksumAlgorithm": "SHA256"},
		"tagging":    {"tagging": "team=a"},
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) store.Store { return shared.open(t, config) })
		})
	}
}

func TestConformanceWithoutPrefix(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		bsl := shared.location(t, shared.newBucket(t, false), nil)
		bsl.Spec.ObjectStorage.Prefix = ""
		return open(t, bsl)
	})
}

func TestConformanceVersioned(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		return open(t, shared.location(t, shared.newBucket(t, true), nil))
	})
}
