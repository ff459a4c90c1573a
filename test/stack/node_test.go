package stack

import (
	"slices"
	"testing"
)

func TestHostsKeepsOtherLines(t *testing.T) {
	lines := []string{
		"127.0.0.1 localhost", "127.0.0.1 node1" + hostsMark("/a"), "127.0.0.1 node1" + hostsMark("/a/b"), "# lifeboat stack",
	}
	want := []string{lines[0], lines[2], lines[3]}
	if got := withoutSuffix(lines, hostsMark("/a")); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestAddressIn(t *testing.T) {
	lines := []string{"", "# 10.0.0.1 node1", "127.0.0.1 localhost # node1", "10.0.0.2\tother node1", "127.0.0.1 node1" + hostsMark("/a")}
	for name, want := range map[string]string{"node1": "10.0.0.2", "localhost": "127.0.0.1", "10.0.0.2": "", "node2": ""} {
		if got := addressIn(lines, name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// TestNodesDoNotMeet holds the names that two nodes put on one machine apart, and
// within what the kernel takes: 15 bytes for an interface.
func TestNodesDoNotMeet(t *testing.T) {
	a, b := &Stack{Dir: "/a"}, &Stack{Dir: "/b"}
	if a.bridge() == b.bridge() || a.cgroup() == b.cgroup() {
		t.Errorf("both are called %s, %s", a.bridge(), a.cgroup())
	}
	if len(a.bridge()) > 15 {
		t.Errorf("%s is too long", a.bridge())
	}
}

func TestInsideNode(t *testing.T) {
	svc := (&Stack{Dir: "/a"}).insideNode(&service{Name: "x", Binary: "/bin/x", Args: []string{"--flag", "two words"}})
	if got := svc.Args[len(svc.Args)-3:]; !slices.Equal(got, []string{"/bin/x", "--flag", "two words"}) || svc.Binary != "/bin/sh" {
		t.Errorf("%s %q", svc.Binary, svc.Args)
	}
}
