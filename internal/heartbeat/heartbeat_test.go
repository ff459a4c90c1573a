package heartbeat_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/lifeboat-backup/lifeboat/internal/contract"
	"github.com/lifeboat-backup/lifeboat/internal/heartbeat"
)

// A second attempt resumes at the watermark of the first, with its figures; what was
// counted after the watermark is counted anew.
func TestResume(t *testing.T) { synctest.Test(t, testResume) }

func testResume(t *testing.T) {
	var sent []contract.Heartbeat
	first, stop := heartbeat.Start(contract.Heartbeat{}, func(h contract.Heartbeat) { sent = append(sent, h) })
	synctest.Wait()
	if len(sent) != 1 {
		t.Fatalf("%d heartbeats at the beginning", len(sent))
	}
	var page int
	if found, err := first.Resume(&page); found || err != nil {
		t.Fatalf("a first attempt resumes: %t, %v", found, err)
	}
	first.Count(3, 30)
	if err := first.Mark(7, 3, 30); err != nil {
		t.Fatal(err)
	}
	first.Count(2, 20)
	stop()
	if len(sent) != 2 || sent[1].Objects != 3 || sent[1].Bytes != 30 {
		t.Fatalf("sent %+v", sent)
	}
	second, stop := heartbeat.Start(sent[1], func(contract.Heartbeat) {})
	defer stop()
	if found, err := second.Resume(&page); !found || err != nil || page != 7 {
		t.Errorf("resumed %t at %d, %v", found, page, err)
	}
}

// A watermark that does not decode is an error, not a start at zero.
func TestResumeBadCursor(t *testing.T) {
	r, stop := heartbeat.Start(contract.Heartbeat{Cursor: []byte("{")}, func(contract.Heartbeat) {})
	defer stop()
	var page int
	if _, err := r.Resume(&page); err == nil {
		t.Error("no error")
	}
}

// What is waited for is told with the figures, and no longer than it is.
func TestWaitsFor(t *testing.T) { synctest.Test(t, testWaitsFor) }

func testWaitsFor(t *testing.T) {
	var sent []contract.Heartbeat
	r, stop := heartbeat.Start(contract.Heartbeat{}, func(h contract.Heartbeat) { sent = append(sent, h) })
	defer stop()
	synctest.Wait()
	sent = nil // the one at the beginning
	for _, what := range []string{"namespace shop", ""} {
		r.WaitsFor(what)
		if err := r.Mark(1, 2, 3); err != nil {
			t.Fatal(err)
		}
	}
	if len(sent) != 2 || sent[0].Waits != "namespace shop" || sent[0].Objects != 2 || sent[1].Waits != "" {
		t.Errorf("sent %+v", sent)
	}
}

// An activity ends when the heartbeat on its way has ended: its context ends with it.
func TestStopWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := false
		_, stop := heartbeat.Start(contract.Heartbeat{}, func(contract.Heartbeat) { time.Sleep(time.Second); ended = true })
		synctest.Wait()
		if stop(); !ended {
			t.Error("a heartbeat goes on after the activity")
		}
	})
}
