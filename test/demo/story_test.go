//go:build stack

package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
	"github.com/lifeboat-backup/lifeboat/test/compare"
	"github.com/lifeboat-backup/lifeboat/test/stack"
)

// play runs the demo and returns its exit code and what it printed.
func play(t *testing.T, ctx context.Context, o options, watch func(line string)) (int, string) {
	t.Helper()
	for _, name := range []string{"TEMPORAL_CONFIG_FILE", "TEMPORAL_ADDRESS"} {
		t.Setenv(name, "") // restored after the test: the demo changes its environment
	}
	out := &transcript{t: t, watch: watch}
	code := run(ctx, o, out)
	return code, out.text.String()
}

// transcript collects what is printed and shows it to a watcher line by line.
type transcript struct {
	t     *testing.T
	text  strings.Builder
	watch func(line string)
}

func (w *transcript) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimRight(string(p), "\n"))
	if w.watch != nil {
		w.watch(string(p))
	}
	return w.text.Write(p)
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

func TestStoryOnAClusterOfItsOwn(t *testing.T) {
	code, text := play(t, t.Context(), options{}, nil)
	if code != codeWell || lastLine(text) != "identical" {
		t.Errorf("exit code %d, last line %q", code, lastLine(text))
	}
	for _, part := range []string{"Temporal UI: http://", " objects of 33 kinds, 11 Pods Ready", "objects are left", ": none missing, none extra", `schedule "often" created; next run `, "would be deleted", "proven at level L2", "proven at level L4", "the chain has no gap", "The page of the drill: ", " (stopped now; with DEMO_KEEP=1 everything keeps running)"} {
		if !strings.Contains(text, part) {
			t.Errorf("the story lacks %q", part)
		}
	}
	samePicture(t, text)
	noStackIsLeft(t, text)
}

// noStackIsLeft looks into the stack that the worker's address belonged to.
func noStackIsLeft(t *testing.T, text string) {
	t.Helper()
	cache, err := stack.CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(text, "Temporal UI: ")
	ui, _, _ := strings.Cut(after, "\n")
	files, err := filepath.Glob(filepath.Join(cache, "stacks", "*", "state.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		state, err := os.ReadFile(file)
		if err == nil && strings.Contains(string(state), ui) {
			t.Errorf("%s still stands", file)
		}
	}
}

// TestStoryOnAnExistingCluster plays on a cluster that somebody else started, to
// the end and interrupted in the middle, and looks what is left there.
func TestStoryOnAnExistingCluster(t *testing.T) {
	theirs := stack.Run(t, stack.Options{Kwok: true})
	before := snapshot(t, theirs)
	differencesAreTold(t, theirs)

	code, text := play(t, t.Context(), options{Kubeconfig: theirs.Kubeconfig}, nil)
	if code != codeWell || lastLine(text) != "identical" {
		t.Errorf("exit code %d, last line %q", code, lastLine(text))
	}
	untouched(t, before, snapshot(t, theirs))

	ctx, cancel := context.WithCancel(t.Context())
	code, text = play(t, ctx, options{Kubeconfig: theirs.Kubeconfig, Keep: true}, func(line string) {
		if strings.Contains(line, "Back it up") {
			cancel()
		}
	})
	if code != codeInterrupted || !strings.HasPrefix(lastLine(text), "interrupted") {
		t.Errorf("interrupted: exit code %d, last line %q", code, lastLine(text))
	}
	untouched(t, before, snapshot(t, theirs))
	noStackIsLeft(t, text)
}

// differencesAreTold compares with a bookstore that is not there.
func differencesAreTold(t *testing.T, s *stack.Stack) {
	t.Helper()
	c := connect(t, s)
	shop, err := newBookstore(c, sample{})
	if err != nil {
		t.Fatal(err)
	}
	out := &transcript{t: t}
	tale := &story{s: newScreen(out), shop: shop, before: compare.State{"secrets bookstore/voucher-001": {}}}
	if err := tale.compare(t.Context()); !errors.Is(err, errDiffers) {
		t.Errorf("a lost object: %v", err)
	}
	if text := out.text.String(); !strings.Contains(text, "differences: 1") || !strings.Contains(text, "missing: secrets bookstore/voucher-001") {
		t.Errorf("the lost object is not named: %s", text)
	}
}

func connect(t *testing.T, s *stack.Stack) *kube.Client {
	t.Helper()
	rc, err := kube.Config(s.Kubeconfig, "")
	if err != nil {
		t.Fatal(err)
	}
	c, err := kube.New(rc, kube.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// snapshot is every object of a cluster with its resourceVersion, but for what a
// cluster writes by itself all the time.
func snapshot(t *testing.T, s *stack.Stack) map[string]string {
	t.Helper()
	c := connect(t, s)
	cat, err := c.Discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, r := range cat.Resources {
		if !r.Can("list", "create") || restless(r.GroupResource()) {
			continue
		}
		req := kube.ListAllRequest{ListRequest: kube.ListRequest{Resource: r, MetadataOnly: true}}
		_, err := c.ListAll(t.Context(), req, func(it kube.Item) error {
			var o object
			err := json.Unmarshal(it.Raw, &o)
			all[r.GroupResource()+" "+it.Namespace+"/"+it.Name] = o.text("metadata", "resourceVersion")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// restless types change without anybody's doing, or are about what was there.
func restless(resource string) bool {
	switch resource {
	case "nodes", "leases.coordination.k8s.io", "events", "events.events.k8s.io", "apiservices.apiregistration.k8s.io":
		return true
	}
	return false
}

func untouched(t *testing.T, before, after map[string]string) {
	t.Helper()
	for key, version := range before {
		if after[key] != version {
			t.Errorf("%s is at version %q, was at %q", key, after[key], version)
		}
	}
	for key := range after {
		if _, known := before[key]; !known {
			t.Errorf("%s was left behind", key)
		}
	}
}
