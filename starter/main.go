// Command lifeboat takes, lists, restores and deletes backups of Kubernetes
// clusters. It speaks to the Temporal server under which the cluster's workers
// run, and to nothing else but signed URLs that a worker hands out: it needs
// neither cloud nor cluster credentials.
//
// The connection comes from Temporal's standard environment variables
// (TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, TEMPORAL_TLS_*) and
// profile file; the cluster from --cluster or LIFEBOAT_CLUSTER, or the only one
// that is served there.
//
// Verbs, flags and table columns are Velero's where Velero has them. Results go to
// standard output; progress, notes and errors to standard error. Exit codes:
//
//	0    done; a backup or restore that was waited for is Completed
//	1    bad input, whoever finds it, or something on the way failed
//	2    the backup, restore or deletion is Failed or Canceled
//	3    the backup or restore is PartiallyFailed, a deletion left something,
//	     or schedules were left that stand in the worker's configuration
//	4    what was asked for does not exist
//	5    the name is taken already
//	130  interrupted: Ctrl-C stops the waiting, never the run
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/lifeboat-backup/lifeboat/starter/internal/console"
)

func main() {
	ctx, cancel := context.WithCancel(context.Background())
	interrupts := make(chan os.Signal, 2)
	signal.Notify(interrupts, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-interrupts
		cancel() // stop waiting, say what goes on
		<-interrupts
		os.Exit(console.CodeInterrupted) // a second one means now
	}()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
