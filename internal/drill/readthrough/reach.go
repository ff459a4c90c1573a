package readthrough

import (
	"context"
	"net"
	"time"
)

// reachTimeout is how long a connection may take: one that a network policy denies is not answered.
const reachTimeout = 2 * time.Second

// Reaches tells whether an address outside of a copy can be connected to, from within it: now, and
// once more after a pause, for some network plug-ins know a new pod's policies only then. No bytes
// are sent.
func Reaches(ctx context.Context, host, port string, pause time.Duration) bool {
	if !connects(ctx, host, port) {
		return false
	}
	select {
	case <-ctx.Done():
	case <-time.After(pause):
	}
	return connects(ctx, host, port)
}

func connects(ctx context.Context, host, port string) bool {
	dialer := net.Dialer{Timeout: reachTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		return false
	}
	_ = conn.Close() // nothing was sent
	return true
}
