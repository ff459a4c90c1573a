package stack

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const hostsFile = "/etc/hosts"

// addHost makes a name lead to this machine while the stack in dir runs. Each stack
// has a line of its own, so that the first to stop does not take it from the others.
func addHost(ctx context.Context, name, dir string) error {
	return editHosts(ctx, func(lines []string) ([]string, error) {
		if found := addressIn(lines, name); found != "" && found != "127.0.0.1" {
			return nil, fmt.Errorf("in %s the name %s leads to %s; it has to lead to 127.0.0.1: remove it", hostsFile, name, found)
		}
		return append(lines, "127.0.0.1 "+name+hostsMark(dir)), nil
	})
}

func removeHost(ctx context.Context, dir string) error {
	return editHosts(ctx, func(lines []string) ([]string, error) {
		return withoutSuffix(lines, hostsMark(dir)), nil
	})
}

func hostsMark(dir string) string { return " # lifeboat stack " + dir }

// editHosts changes the file in place: in a container it is a mount, which cannot
// be renamed over. A change that changes nothing does not write.
func editHosts(ctx context.Context, change func(lines []string) ([]string, error)) error {
	unlock, err := lockFile(ctx, filepath.Join(os.TempDir(), "lifeboat-hosts.lock"), func() {})
	if err != nil {
		return err
	}
	defer unlock()
	before, err := os.ReadFile(hostsFile)
	if err != nil {
		return err
	}
	lines, err := change(strings.Split(strings.TrimRight(string(before), "\n"), "\n"))
	if err != nil {
		return err
	}
	after := strings.Join(lines, "\n") + "\n"
	if after == string(before) {
		return nil
	}
	return os.WriteFile(hostsFile, []byte(after), 0o644)
}

// addressIn is where the lines of a hosts file lead a name; empty if nowhere.
func addressIn(lines []string, name string) string {
	for _, line := range lines {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) > 1 && slices.Contains(fields[1:], name) {
			return fields[0]
		}
	}
	return ""
}

func withoutSuffix(lines []string, suffix string) []string {
	var kept []string
	for _, line := range lines {
		if !strings.HasSuffix(line, suffix) {
			kept = append(kept, line)
		}
	}
	return kept
}
