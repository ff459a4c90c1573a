package main

import (
	"strings"
	"testing"
)

func TestSampleIsWhole(t *testing.T) {
	for name, s := range map[string]sample{
		"own cluster":           {VolumeClass: "kwok-volume"},
		"a cluster that exists": {Suffix: "-abc123", Foreign: true},
	} {
		t.Run(name, func(t *testing.T) {
			waves, err := s.waves()
			if err != nil {
				t.Fatal(err)
			}
			seen, kinds := map[string]bool{}, map[string]bool{}
			for _, wave := range waves {
				for _, o := range wave {
					if seen[o.key()] {
						t.Errorf("%s stands twice", o.key())
					}
					seen[o.key()], kinds[o.text("kind")] = true, true
					checkObject(t, s, o)
				}
			}
			if len(seen) < 290 || len(kinds) < 28 {
				t.Errorf("%d objects of %d kinds are too few: controllers add only Pods and ReplicaSets", len(seen), len(kinds))
			}
		})
	}
}

// checkObject: each object is marked, in a namespace of the sample's own, or
// cluster-scoped under a name of its own.
func checkObject(t *testing.T, s sample, o object) {
	t.Helper()
	if o.text("metadata", "labels", label) != s.Shop() {
		t.Errorf("%s lacks the label %s", o.key(), s.Selector())
	}
	inner := templates(o)
	if strings.Contains("Deployment StatefulSet DaemonSet Job CronJob PodTemplate", o.text("kind")) && len(inner) == 0 {
		t.Errorf("%s: no template found to label", o.key())
	}
	for _, m := range inner {
		if object(m).text("metadata", "labels", label) != s.Shop() {
			t.Errorf("%s: its template lacks the label", o.key())
		}
	}
	switch ns := o.namespace(); {
	case ns == "" && !strings.Contains(o.name(), "bookstore"+s.Suffix) && !strings.HasSuffix(o.name(), s.Suffix):
		t.Errorf("%s: a cluster-scoped name that another may have", o.key())
	case ns != "" && ns != s.Shop() && ns != s.Data():
		t.Errorf("%s stands in a foreign namespace", o.key())
	}
}

func TestForeignClusterIsSpared(t *testing.T) {
	waves, err := sample{Suffix: "-abc123", Foreign: true}.waves()
	if err != nil {
		t.Fatal(err)
	}
	for _, wave := range waves {
		for _, o := range wave {
			spec, _ := o["spec"].(map[string]any)
			switch o.text("kind") {
			case "DaemonSet":
				if o.text("spec", "template", "spec", "nodeSelector", "example.com/bookstore") == "" {
					t.Error("a DaemonSet would run on every node")
				}
			case "StatefulSet":
				if spec["volumeClaimTemplates"] != nil {
					t.Error("a StatefulSet would make volumes")
				}
			case "Service":
				if o.text("spec", "type") == "LoadBalancer" && o.text("spec", "loadBalancerClass") == "" {
					t.Error("a Service would make a load balancer")
				}
			case "Job":
				if spec["suspend"] != true {
					t.Errorf("%s would never end", o.key())
				}
			}
		}
	}
}

func TestWrap(t *testing.T) {
	long := strings.Repeat("word ", 60) + "end"
	parts := wrap("  " + long)
	if got := strings.Join(strings.Fields(strings.Join(parts, " ")), " "); got != long {
		t.Errorf("words were lost: %q", got)
	}
	for i, part := range parts {
		if len(part) > columns || !strings.HasPrefix(part, "  ") || i > 0 && !strings.HasPrefix(part, "    ") {
			t.Errorf("line %d: %q", i, part)
		}
	}
	url := strings.Repeat("x", 2*columns)
	if got := wrap(url); len(got) != 1 || got[0] != url {
		t.Errorf("one word was broken: %q", got)
	}
}

func TestOptions(t *testing.T) {
	read := func(env map[string]string) (options, error) {
		return readOptions(func(name string) string { return env[name] })
	}
	for text, want := range map[string]bool{"": false, "0": false, "false": false, "1": true, "yes": true} {
		if got, err := read(map[string]string{"DEMO_KEEP": text}); err != nil || got.Keep != want {
			t.Errorf("DEMO_KEEP=%q: %+v, %v", text, got, err)
		}
	}
	if got, err := read(map[string]string{"DEMO": "drill"}); err != nil || !got.Drill || got.lastWord() != "proven" {
		t.Errorf("DEMO=drill: %+v, %v", got, err)
	}
	for says, env := range map[string]map[string]string{
		"there is only DEMO=drill":  {"DEMO": "drills"},
		"leave DEMO_KUBECONFIG out": {"DEMO": "drill", "DEMO_KUBECONFIG": "config"},
	} {
		if _, err := read(env); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v: want %q, got %v", env, says, err)
		}
	}
}
