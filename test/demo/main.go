// Command demo tells Lifeboat's story on real components: an application is backed
// up, lost, restored, and compared object by object with what it was; then a schedule backs it up
// every few seconds, and a rehearsal and a drill prove the backup.
//
//	make demo                        on a cluster of its own
//	DEMO_KEEP=1 make demo            and leave everything running
//	DEMO_KUBECONFIG=path make demo   on a cluster that exists, in namespaces of its own
//	make demo DEMO=drill             PostgreSQL on a real node instead, drilled with its data
//
// Its last word is "identical" (exit code 0), of the drill "proven"; if the restore differs it
// says how (exit code 1). Ctrl-C stops everything (exit code 130).
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

const (
	codeWell        = 0
	codeFailed      = 1
	codeInterrupted = 130
)

// errDiffers ends a story whose application did not come back as it was; what
// differs has been printed.
var errDiffers = errors.New("the application is not what it was")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends at once
	o, err := readOptions(os.Getenv)
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(codeFailed)
	}
	os.Exit(run(ctx, o, os.Stdout))
}

// options are the demo's environment variables.
type options struct {
	Keep       bool   // DEMO_KEEP: leave everything running
	Kubeconfig string // DEMO_KUBECONFIG: a cluster that exists; empty: one of the demo's own
	Drill      bool   // DEMO=drill: a database with its data, on a node of the demo's own
}

func readOptions(env func(string) string) (options, error) {
	keep := strings.ToLower(env("DEMO_KEEP"))
	o := options{Keep: keep != "" && keep != "0" && keep != "false", Kubeconfig: env("DEMO_KUBECONFIG")}
	switch story := env("DEMO"); {
	case story != "" && story != "drill":
		return o, fmt.Errorf("DEMO=%s: there is only DEMO=drill", story)
	case story == "drill" && o.Kubeconfig != "":
		return o, errors.New("DEMO=drill has a node of its own: leave DEMO_KUBECONFIG out")
	default:
		o.Drill = story == "drill"
		return o, nil
	}
}

// lastWord is what a story ends with that ends well.
func (o options) lastWord() string {
	if o.Drill {
		return "proven"
	}
	return "identical"
}

func run(ctx context.Context, o options, out io.Writer) int {
	if err := isolate(o); err != nil {
		fmt.Fprintln(out, "error:", err)
		return codeFailed
	}
	s := newScreen(out)
	err := tell(ctx, o, s)
	switch {
	case err == nil:
		s.headline(o.lastWord())
		return codeWell
	case ctx.Err() != nil:
		s.headline("interrupted; everything is stopped")
		return codeInterrupted
	case errors.Is(err, errDiffers):
		s.headline("not identical")
		return codeFailed
	}
	s.headline("error: " + err.Error())
	return codeFailed
}

// isolate takes away what the user's environment would tell the demo's programs
// about another Temporal or another S3. A cluster that exists may need the AWS
// variables to log in; there the location names its profile itself.
func isolate(o options) error {
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		foreign := strings.HasPrefix(name, "TEMPORAL_") || o.Kubeconfig == "" && strings.HasPrefix(name, "AWS_")
		if !foreign {
			continue
		}
		if err := os.Unsetenv(name); err != nil {
			return fmt.Errorf("unset %s: %w", name, err)
		}
	}
	return nil
}
