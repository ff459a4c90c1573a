package quota

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestBucketHoldsTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, start := newRequestBucket(Rate{PerSecond: 5, Burst: 10}), time.Now()
		for range 30 {
			if err := b.takeTokens(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(start); took < 4*time.Second || took > 4100*time.Millisecond {
			t.Errorf("30 of a burst of 10 and 5/s took %v, want 4 s", took)
		}
	})
}

// TestBucketLearns: an account that takes 2/s where 5/s are published. What is
// refused stays a small share, and what is taken comes near to 2/s.
func TestBucketLearns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newRequestBucket(Rate{PerSecond: 5, Burst: 90})
		real := newRequestBucket(Rate{PerSecond: 2, Burst: 10}) // AWS's own
		start, taken, refused := time.Now(), 0, 0
		for taken < 300 {
			if err := b.takeTokens(t.Context(), 1); err != nil {
				t.Fatal(err)
			}
			if real.tryTake(1) > 0 {
				refused++
				b.learnThrottled()
				continue
			}
			taken++
			b.learnPassed()
		}
		ideal := 145 * time.Second // (300-10)/2
		if took := time.Since(start); took > ideal*13/10 || refused > 30 {
			t.Errorf("took %v (ideal %v), %d refused", took, ideal, refused)
		}
	})
}

func TestBucketForgetsOldLessons(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newRequestBucket(Rate{PerSecond: 5, Burst: 10})
		b.learnThrottled()
		if b.tryTake(1) < afterCut {
			t.Error("a request right after a throttling")
		}
		time.Sleep(idleResets + time.Second)
		b.tryTake(1)
		if b.now != b.top {
			t.Errorf("still %v", b.now)
		}
	})
}

func TestBucketNeverStarves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newRequestBucket(Rate{PerSecond: 5, Burst: 10})
		for range 100 {
			b.learnThrottled()
			time.Sleep(2 * time.Second)
		}
		start := time.Now()
		for range 3 {
			if err := b.takeTokens(t.Context(), 5); err != nil { // more than the bucket holds by now
				t.Fatal(err)
			}
		}
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("three requests took %v", took)
		}
	})
}

func TestBucketServesInOrderAndEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newRequestBucket(Rate{PerSecond: 1, Burst: 1})
		served := make(chan int, 5)
		for i := range 5 {
			go func() {
				if b.takeTokens(t.Context(), 1) == nil {
					served <- i
				}
			}()
			synctest.Wait()
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if err := b.takeTokens(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("want the context's error, got %v", err)
		}
		time.Sleep(10 * time.Second)
		for i := range 5 {
			if who := <-served; who != i {
				t.Errorf("number %d served as %d", who, i)
			}
		}
	})
}
