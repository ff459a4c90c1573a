package readthrough

import (
	"context"
	"net"
	"time"
)

// reachTimeout is how long a connection may take: one that a network policy denies is not answered.
const reachTimeout = 2 * time.Second

// Reaches tells whether an address outside of a copy, as host:port, can be connected to from within
// it. It is tried after a pause: some network plug-ins know a new pod's policies only then, and what
// a pod that has just started cannot reach yet says nothing of them.
func Reaches(ctx context.Context, address string, pause time.Duration) bool {
	select {
	case <-ctx.Done():
	case <-time.After(pause):
	}
	return Connects(ctx, address)
}

// Connects tells whether an address answers within two seconds. No bytes are sent.
func Connects(ctx context.Context, address string) bool {
	dialer := net.Dialer{Timeout: reachTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return false
	}
	_ = conn.Close() // nothing was sent
	return true
}
