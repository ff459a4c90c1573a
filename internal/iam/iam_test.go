package iam

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lifeboat-backup/lifeboat/internal/iam/evaluation"
)

const (
	bucketKey = "arn:aws:kms:eu-central-1:111122223333:key/11111111-2222-3333-4444-555555555555"
	volumeKey = "arn:aws:kms:eu-central-1:111122223333:key/66666666-7777-8888-9999-000000000000"
)

// full asks for everything that a document can have.
func full(role Role) Options {
	return Options{Role: role, Bucket: "example-backups", Prefix: "production", BucketKey: bucketKey, VolumeKeys: []string{volumeKey}, SharedBy: []string{"444455556666"}, Assume: []string{"arn:aws:iam::444455556666:role/backups"}, Inspect: true}
}

func parse(t *testing.T, d Document) evaluation.Policy {
	t.Helper()
	text, err := d.Text()
	if err != nil {
		t.Fatal(err)
	}
	p, err := evaluation.Parse(text)
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return p
}

func findings(t *testing.T, o Options, d Document) []Finding {
	t.Helper()
	found, err := Verify(o, []evaluation.Policy{parse(t, d)})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestPoliciesFit: each role may do what it has to, and nothing that no role may.
func TestPoliciesFit(t *testing.T) {
	for _, role := range Roles() {
		for name, o := range map[string]Options{"full": full(role), "bare": {Role: role, Bucket: "example-backups"}} {
			d, err := Policy(o)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range findings(t, o, d) {
				t.Errorf("%s %s: missing %t: %s (%s on %s)", role, name, f.Missing, f.What, f.Action, f.Resource)
			}
		}
	}
	forbidden, err := Forbidden(full(All))
	if err != nil || len(forbidden) < 40 {
		t.Errorf("only %d forbidden calls are tried: %v", len(forbidden), err)
	}
}

// TestWhatIsAddedIsFound: a statement that gives a role more than it needs is named.
func TestWhatIsAddedIsFound(t *testing.T) {
	const bucket, any = "arn:aws:s3:::example-backups", "*"
	named := condition{"StringLike": {"aws:ResourceTag/Name": {"*"}}}
	for name, more := range map[string]Statement{
		"all of the own key":         allow("x", []string{"kms:*"}, []string{bucketKey}, nil),
		"older versions":             allow("x", []string{"s3:DeleteObjectVersion"}, []string{bucket + "/production/backups/*"}, nil),
		"prefixes that begin alike":  allow("x", []string{"s3:GetObject"}, []string{bucket + "/production*"}, nil),
		"the whole list":             allow("x", []string{"s3:ListBucket"}, []string{bucket}, nil),
		"snapshots with a name":      allow("x", []string{"ec2:DeleteSnapshot"}, []string{any}, named),
		"volumes with a name":        allow("x", []string{"ec2:DeleteVolume"}, []string{any}, named),
		"locks":                      allow("x", []string{"ec2:LockSnapshot"}, []string{any}, nil),
		"users":                      allow("x", []string{"iam:CreateUser", "iam:AttachRolePolicy"}, []string{any}, nil),
		"roles that begin alike":     allow("x", []string{"sts:AssumeRole"}, []string{"arn:aws:iam::444455556666:role/backups*"}, nil),
		"what nobody has thought of": allow("x", []string{"braket:CancelJob"}, []string{any}, nil),
	} {
		for _, role := range Roles() {
			d, err := Policy(full(role))
			if err != nil {
				t.Fatal(err)
			}
			d.Statement = append(d.Statement, more)
			if len(findings(t, full(role), d)) == 0 {
				t.Errorf("%s: role %s: nothing was found", name, role)
			}
		}
	}
}

// TestPolicyOfAnotherRole: what a role has of another's is named.
func TestPolicyOfAnotherRole(t *testing.T) {
	d, err := Policy(full(All))
	if err != nil {
		t.Fatal(err)
	}
	for role, action := range map[Role]string{Backup: "ec2:CreateVolume", Restore: "s3:PutObject", Collect: "ec2:CreateSnapshot", Volumes: "s3:GetObject"} {
		found := findings(t, full(role), d)
		if !slices.ContainsFunc(found, func(f Finding) bool { return f.Action == action && !f.Missing }) {
			t.Errorf("role %s: %s was not found: %+v", role, action, found)
		}
	}
}

// TestPoliciesNeedEachAction: no action of a document is unused, nor a resource of it.
func TestPoliciesNeedEachAction(t *testing.T) {
	for _, role := range Roles() {
		o := full(role)
		d, err := Policy(o)
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range d.Statement {
			for j := range s.Action {
				less := s
				less.Action = slices.Delete(slices.Clone(s.Action), j, j+1)
				checkMissed(t, o, d, i, less, string(role)+" "+s.Sid+" "+s.Action[j])
			}
			for j := range s.Resource {
				less := s
				less.Resource = slices.Delete(slices.Clone(s.Resource), j, j+1)
				checkMissed(t, o, d, i, less, string(role)+" "+s.Sid+" "+s.Resource[j])
			}
		}
	}
}

// checkMissed wants a call to miss what a statement has no more.
func checkMissed(t *testing.T, o Options, d Document, i int, less Statement, what string) {
	t.Helper()
	d.Statement = slices.Clone(d.Statement)
	if len(less.Action) == 0 || len(less.Resource) == 0 {
		d.Statement = slices.Delete(d.Statement, i, i+1)
	} else {
		d.Statement[i] = less
	}
	if !slices.ContainsFunc(findings(t, o, d), func(f Finding) bool { return f.Missing }) {
		t.Errorf("nothing misses %s", what)
	}
}

// TestRolesAreApart: what a role is not for, its policy denies.
func TestRolesAreApart(t *testing.T) {
	for role, not := range map[Role][]string{
		Backup:  {"ec2:CreateVolume", "ec2:DeleteVolume"},
		Restore: {"ec2:CreateSnapshot", "ec2:DeleteSnapshot"},
		Collect: {"ec2:CreateSnapshot", "ec2:CreateVolume", "ec2:DeleteVolume"},
	} {
		d, err := Policy(full(role))
		if err != nil {
			t.Fatal(err)
		}
		policy := []evaluation.Policy{parse(t, d)}
		all, err := Needed(full(All))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range all {
			if slices.Contains(not, c.Action) && evaluation.Evaluate(policy, c.Request) == evaluation.Allowed {
				t.Errorf("role %s may %s", role, c.What)
			}
		}
	}
	d, err := Policy(full(Restore))
	if err != nil {
		t.Fatal(err)
	}
	write := evaluation.Request{Action: "s3:PutObject", Resource: "arn:aws:s3:::example-backups/production/backups/b/b.tar.gz"}
	if evaluation.Evaluate([]evaluation.Policy{parse(t, d)}, write) == evaluation.Allowed {
		t.Error("a restore may write a backup")
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for field, o := range map[string]Options{
		"role":       {Role: "admin", Bucket: "b-1"},
		"bucket":     {Role: All, Bucket: "No_Bucket"},
		"prefix":     {Role: All, Bucket: "b-1", Prefix: "a*"},
		"bucket key": {Role: All, Bucket: "b-1", BucketKey: "alias/backups"},
		"volume key": {Role: All, Bucket: "b-1", VolumeKeys: []string{"*"}},
		"assume":     {Role: All, Bucket: "b-1", Assume: []string{"*"}},
		"shared by":  {Role: All, Bucket: "b-1", SharedBy: []string{"*"}},
		"tag key":    {Role: All, Bucket: "b-1", TagKeys: []string{"team*"}},
	} {
		if _, err := Policy(o); err == nil || !strings.HasPrefix(err.Error(), field+": ") {
			t.Errorf("%s: %v", field, err)
		}
	}
}

// TestTagKeys: with the keys of one's own tags no others may be written but ours and the driver's, whatever
// is tagged; without, any may.
func TestTagKeys(t *testing.T) {
	for key, limited := range map[string]bool{"team": true, tagBackup: true, "kubernetes.io/created-for/pvc/name": true, "CSIVolumeName": true, "owner": false} {
		for name, on := range map[string]keys{
			"a snapshot that is being made": {"ec2:CreateAction": "CreateSnapshots"}, "a snapshot of ours": {"aws:ResourceTag/" + tagBackupUID: "u"},
			"a snapshot of the driver's": {"aws:ResourceTag/" + tagOfDriver: "s"},
		} {
			with := maps.Clone(on)
			with["aws:TagKeys"] = key
			for _, o := range []Options{{Role: All, Bucket: "b-1"}, {Role: All, Bucket: "b-1", TagKeys: []string{"team"}}} {
				d, err := Policy(o)
				if err != nil {
					t.Fatal(err)
				}
				want := limited || o.TagKeys == nil
				r := call("tag", "ec2:CreateTags", someSnapshot, with).Request
				if got := evaluation.Evaluate([]evaluation.Policy{parse(t, d)}, r) == evaluation.Allowed; got != want {
					t.Errorf("%s on %s, limited to %q: allowed %t", key, name, o.TagKeys, got)
				}
			}
		}
	}
}

// TestTagsThatAreNotLimited: a policy that lets any tags be written is too much where only some are to be.
func TestTagsThatAreNotLimited(t *testing.T) {
	o := Options{Role: All, Bucket: "b-1"}
	any, err := Policy(o)
	if err != nil {
		t.Fatal(err)
	}
	o.TagKeys = []string{"team"}
	limited, err := Policy(o)
	if err != nil {
		t.Fatal(err)
	}
	if found := findings(t, o, limited); len(found) > 0 {
		t.Errorf("%+v", found)
	}
	found := findings(t, o, any)
	for _, f := range found {
		if f.Missing || f.Action != "ec2:CreateTags" {
			t.Errorf("%+v", f)
		}
	}
	if len(found) != 2 {
		t.Errorf("%d findings, want one of snapshots of ours and one of those that are being made", len(found))
	}
}

// TestTrust: the documents name one service account, and refuse what would let in more.
func TestTrust(t *testing.T) {
	h := Holder{Account: "111122223333", Issuer: "https://oidc.eks.eu-central-1.amazonaws.com/id/ABC", Cluster: "production", Namespace: "lifeboat", ServiceAccount: "lifeboat-worker"}
	web, err := TrustWebIdentity(h)
	if err != nil {
		t.Fatal(err)
	}
	pod, err := TrustPodIdentity(h)
	if err != nil {
		t.Fatal(err)
	}
	const issuer = "oidc.eks.eu-central-1.amazonaws.com/id/ABC"
	for name, tc := range map[string]struct {
		in   Document
		with keys
		want bool
	}{
		"the worker":              {web, keys{issuer + ":aud": "sts.amazonaws.com", issuer + ":sub": "system:serviceaccount:lifeboat:lifeboat-worker"}, true},
		"another service account": {web, keys{issuer + ":aud": "sts.amazonaws.com", issuer + ":sub": "system:serviceaccount:lifeboat:other"}, false},
		"another namespace":       {web, keys{issuer + ":aud": "sts.amazonaws.com", issuer + ":sub": "system:serviceaccount:shop:lifeboat-worker"}, false},
		"another audience":        {web, keys{issuer + ":aud": "kubernetes", issuer + ":sub": "system:serviceaccount:lifeboat:lifeboat-worker"}, false},
		"no subject":              {web, keys{issuer + ":aud": "sts.amazonaws.com"}, false},
		"another cluster":         {web, keys{"other:aud": "sts.amazonaws.com", "other:sub": "system:serviceaccount:lifeboat:lifeboat-worker"}, false},
		"a pod":                   {pod, keys{"aws:RequestTag/eks-cluster-name": "production", "aws:RequestTag/kubernetes-namespace": "lifeboat", "aws:RequestTag/kubernetes-service-account": "lifeboat-worker"}, true},
		"a pod of another one":    {pod, keys{"aws:RequestTag/eks-cluster-name": "staging", "aws:RequestTag/kubernetes-namespace": "lifeboat", "aws:RequestTag/kubernetes-service-account": "lifeboat-worker"}, false},
		"a pod without tags":      {pod, nil, false},
	} {
		c := call(name, tc.in.Statement[0].Action[0], "", tc.with)
		if got := evaluation.Evaluate([]evaluation.Policy{parse(t, tc.in)}, c.Request) == evaluation.Allowed; got != tc.want {
			t.Errorf("%s: %t", name, got)
		}
	}
	for field, change := range map[string]func(*Holder){
		"issuer":          func(h *Holder) { h.Issuer = "https://*" },
		"account":         func(h *Holder) { h.Account = "*" },
		"namespace":       func(h *Holder) { h.Namespace = "*" },
		"service account": func(h *Holder) { h.ServiceAccount = "" },
	} {
		bad := h
		change(&bad)
		if _, err := TrustWebIdentity(bad); err == nil || !strings.HasPrefix(err.Error(), field+": ") {
			t.Errorf("%s: %v", field, err)
		}
	}
	h.Cluster = ""
	if _, err := TrustPodIdentity(h); err == nil {
		t.Error("any cluster of the account may take the role")
	}
}

// TestShippedDocuments: what deploy/iam has is what is generated. LIFEBOAT_UPDATE_GOLDEN=1 writes it.
func TestShippedDocuments(t *testing.T) {
	holder := Holder{Account: "111122223333", Issuer: "https://oidc.eks.eu-central-1.amazonaws.com/id/EXAMPLE", Cluster: "production", Namespace: "lifeboat", ServiceAccount: "lifeboat-worker"}
	documents := map[string]func() (Document, error){
		"trust-irsa.json": func() (Document, error) { return TrustWebIdentity(holder) },
		"trust-location.json": func() (Document, error) {
			return TrustRole(Taker{Role: "arn:aws:iam::111122223333:role/lifeboat", ExternalID: "backups-of-production", Tags: map[string]string{"cluster": "production"}})
		},
		"trust-pod-identity.json": func() (Document, error) { return TrustPodIdentity(holder) },
	}
	for _, role := range Roles() {
		documents[string(role)+".json"] = func() (Document, error) {
			return Policy(Options{Role: role, Bucket: "example-backups", Prefix: "production"})
		}
	}
	for name, make := range documents {
		d, err := make()
		if err != nil {
			t.Fatal(err)
		}
		checkShipped(t, filepath.Join("../../deploy/iam", name), d)
	}
}

func checkShipped(t *testing.T, path string, d Document) {
	t.Helper()
	want, err := d.Text()
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("LIFEBOAT_UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != string(want) {
		t.Errorf("%s is not what is generated (%v)", path, err)
	}
	if !json.Valid(want) || len(want) > 6144 {
		t.Errorf("%s: %d bytes; IAM takes managed policies of 6,144 characters, white space apart", path, len(want))
	}
}

// TestTrustRole: a role of another account is taken by one worker's role with the external id and the
// tags that its location says, and not otherwise.
func TestTrustRole(t *testing.T) {
	d, err := TrustRole(Taker{Role: "arn:aws:iam::111122223333:role/lifeboat", ExternalID: "x-1", Tags: map[string]string{"cluster": "production"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		action string
		with   keys
		want   bool
	}{
		"the worker":          {"sts:AssumeRole", keys{"sts:ExternalId": "x-1", "aws:RequestTag/cluster": "production"}, true},
		"its tags":            {"sts:TagSession", keys{"aws:RequestTag/cluster": "production"}, true},
		"no external id":      {"sts:AssumeRole", keys{"aws:RequestTag/cluster": "production"}, false},
		"another external id": {"sts:AssumeRole", keys{"sts:ExternalId": "x-2", "aws:RequestTag/cluster": "production"}, false},
		"no tags":             {"sts:AssumeRole", keys{"sts:ExternalId": "x-1"}, false},
		"another tag":         {"sts:TagSession", keys{"aws:RequestTag/cluster": "staging"}, false},
	} {
		c := call(name, tc.action, "", tc.with)
		if got := evaluation.Evaluate([]evaluation.Policy{parse(t, d)}, c.Request) == evaluation.Allowed; got != tc.want {
			t.Errorf("%s: %t", name, got)
		}
	}
	checkTransitiveTags(t)
	for name, bad := range map[string]Taker{"any role": {Role: "*", ExternalID: "x-1"}, "no condition": {Role: "arn:aws:iam::111122223333:role/lifeboat"}} {
		if _, err := TrustRole(bad); err == nil {
			t.Errorf("%s is trusted", name)
		}
	}
}

// checkTransitiveTags: the tags that EKS Pod Identity gives a session go along into each role that it
// takes, whether a location says tags or not, and STS asks whether the session may be tagged.
func checkTransitiveTags(t *testing.T) {
	t.Helper()
	d, err := TrustRole(Taker{Role: "arn:aws:iam::111122223333:role/lifeboat", ExternalID: "x-1"})
	if err != nil {
		t.Fatal(err)
	}
	ofPod := keys{"aws:RequestTag/eks-cluster-name": "production", "aws:RequestTag/kubernetes-namespace": "lifeboat"}
	for action, want := range map[string]bool{"sts:TagSession": true, "sts:AssumeRole": false} { // the latter lacks the external id
		if got := evaluation.Evaluate([]evaluation.Policy{parse(t, d)}, call("", action, "", ofPod).Request) == evaluation.Allowed; got != want {
			t.Errorf("%s with the tags of a pod: allowed %t", action, got)
		}
	}
	for _, s := range d.Statement {
		if s.Principal["AWS"] != "arn:aws:iam::111122223333:role/lifeboat" {
			t.Errorf("%s is for %v", s.Sid, s.Principal)
		}
	}
}
