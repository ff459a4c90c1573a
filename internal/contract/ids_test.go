package contract_test

import (
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
)

// Deletions of one name in two locations have ids of their own.
func TestDeleteAtID(t *testing.T) {
	for location, want := range map[string]string{"": "delete:prod:nightly", "west": "delete:prod:nightly:west"} {
		if got := contract.DeleteAtID("prod", "nightly", location); got != want {
			t.Errorf("%q: %s, want %s", location, got, want)
		}
	}
}
