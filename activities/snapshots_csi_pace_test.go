package activities

import (
	"fmt"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/volume"
)

// TestPace: the EBS driver is asked for as many at once as EC2 takes, and then for few;
// of other providers no pace is known.
func TestPace(t *testing.T) {
	keys := make([]string, 300)
	for i := range keys {
		keys[i] = fmt.Sprint("shop/", i)
	}
	rooms := &csiRooms{}
	room := rooms.of(volume.DriverEBS)
	if got := room.affords(300); got != 95 {
		t.Errorf("at first %d may be asked for, want 95", got)
	}
	if !room.affordsAll(300) {
		t.Error("more than may ever be asked for at once wait for ever")
	}
	room.promise(keys[:95])
	if got := room.affords(300); got > 50 || room.affordsAll(95) { // 5 a second come back
		t.Errorf("%d more may be asked for at once after 95", got)
	}
	other := rooms.of("csi.example.org")
	for range 3 {
		other.promise(keys)
		if other.affords(300) != 300 || !other.affordsAll(300) {
			t.Error("another driver is held up")
		}
	}
}
