package volume

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	velerov1 "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/lifeboat-backup/lifeboat/internal/filter"
)

// rich is a claim that most conditions can be asked of.
func rich() pairOf {
	attributes := csiSource2(DriverEBS, "vol-1")
	attributes.CSI.VolumeAttributes = map[string]string{"tier": "gold"}
	return claim("data", attributes, func(c *corev1.PersistentVolumeClaim, _ *corev1.PersistentVolume) {
		c.Labels = map[string]string{"app": "db", "on": "true"}
		c.Spec.VolumeMode = set(corev1.PersistentVolumeFilesystem)
		c.Spec.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce, corev1.ReadOnlyMany}
	})
}

func TestConditions(t *testing.T) {
	disk, share := rich(), claim("share", nfs())
	for name, tc := range map[string]struct {
		conditions string
		of         pairOf
		want       bool
	}{
		"none":                       {`{}`, disk, true},
		"null":                       {`null`, disk, true},
		"capacity, in":               {`{capacity: "5Gi,10Gi"}`, disk, true},
		"capacity, lowest is in":     {`{capacity: "10Gi,20Gi"}`, disk, true},
		"capacity, above":            {`{capacity: "1Gi,9Gi"}`, disk, false},
		"capacity, below":            {`{capacity: "11Gi,"}`, disk, false},
		"capacity, open above":       {`{capacity: "10Gi,"}`, disk, true},
		"capacity, open below":       {`{capacity: " , 10Gi "}`, disk, true},
		"capacity, zero is open":     {`{capacity: "0,0"}`, disk, true},
		"capacity, any":              {`{capacity: ","}`, disk, true},
		"capacity, by exponent":      {`{capacity: "1e9,2e10"}`, disk, true},
		"capacity, exabytes":         {`{capacity: "1G,1Ei"}`, disk, true},
		"class":                      {`{storageClass: [gp2, gp3]}`, disk, true},
		"class, other":               {`{storageClass: [gp2]}`, disk, false},
		"class, none":                {`{storageClass: []}`, disk, true},
		"any nfs":                    {`{nfs: {}}`, share, true},
		"any nfs, of a disk":         {`{nfs: {}}`, disk, false},
		"nfs null is no condition":   {`{nfs: null}`, disk, true},
		"nfs server":                 {`{nfs: {server: files}}`, share, true},
		"nfs server, other":          {`{nfs: {server: else}}`, share, false},
		"nfs path":                   {`{nfs: {path: /data}}`, share, true},
		"nfs both":                   {`{nfs: {server: files, path: /data}}`, share, true},
		"nfs path, other":            {`{nfs: {server: files, path: /x}}`, share, false},
		"any csi":                    {`{csi: {}}`, disk, true},
		"any csi, of a share":        {`{csi: {}}`, share, false},
		"csi driver":                 {`{csi: {driver: ebs.csi.aws.com}}`, disk, true},
		"csi driver, other":          {`{csi: {driver: efs.csi.aws.com}}`, disk, false},
		"csi attributes":             {`{csi: {driver: ebs.csi.aws.com, volumeAttributes: {tier: gold}}}`, disk, true},
		"csi attributes, other":      {`{csi: {driver: ebs.csi.aws.com, volumeAttributes: {tier: tin}}}`, disk, false},
		"csi attributes, more":       {`{csi: {driver: ebs.csi.aws.com, volumeAttributes: {tier: gold, x: ""}}}`, disk, false},
		"type":                       {`{volumeTypes: [nfs, csi]}`, disk, true},
		"type, other":                {`{volumeTypes: [hostPath, emptyDir]}`, disk, false},
		"type of a share":            {`{volumeTypes: [nfs]}`, share, true},
		"labels":                     {`{pvcLabels: {app: db}}`, disk, true},
		"labels, a truth as text":    {`{pvcLabels: {app: db, on: true}}`, disk, true},
		"labels, other":              {`{pvcLabels: {app: web}}`, disk, false},
		"labels, more":               {`{pvcLabels: {app: db, tier: x}}`, disk, false},
		"phase":                      {`{pvcPhase: [Bound, Lost]}`, disk, true},
		"phase, other":               {`{pvcPhase: [Pending]}`, disk, false},
		"mode":                       {`{pvcVolumeMode: Filesystem}`, disk, true},
		"mode, other":                {`{pvcVolumeMode: Block}`, disk, false},
		"access modes, in any order": {`{pvcAccessModes: [ReadOnlyMany, ReadWriteOnce]}`, disk, true},
		"access modes, fewer":        {`{pvcAccessModes: [ReadWriteOnce]}`, disk, false},
		"all together":               {`{capacity: "1Gi,", storageClass: [gp3], csi: {}, pvcLabels: {app: db}}`, disk, true},
		"all but one":                {`{capacity: "1Gi,", storageClass: [gp3], csi: {}, pvcLabels: {app: web}}`, disk, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := mustParse(t, policyHead+"- conditions: "+tc.conditions+"\n  action: {type: skip}\n")
			if got := p.match(subjectOf(&tc.of.pv, &tc.of.claim)) == actionSkip; got != tc.want {
				t.Errorf("matches: %v", got)
			}
		})
	}
}

func TestUnboundClaimMeetsOnlyWhatIsKnown(t *testing.T) {
	c := rich().claim
	c.Status.Phase = corev1.ClaimPending
	for conditions, want := range map[string]bool{
		`{pvcPhase: [Pending]}`: true, `{pvcPhase: [Pending, Lost], pvcLabels: {app: db}}`: true,
		`{pvcPhase: [Pending], storageClass: [gp3]}`: false, `{capacity: "1Gi,"}`: false, `{capacity: ",1Gi"}`: true, `{csi: {}}`: false,
	} {
		p := mustParse(t, policyHead+"- conditions: "+conditions+"\n  action: {type: skip}\n")
		if got := p.match(subjectOf(nil, &c)) == actionSkip; got != want {
			t.Errorf("%s matches: %v", conditions, got)
		}
	}
}

func TestFirstMatchWins(t *testing.T) {
	p := mustParse(t, `
version: v1
volumePolicies:
- conditions: {nfs: {}}
  action: {type: skip}
- conditions: {storageClass: [gp3]}
  action: {type: snapshot, parameters: {any: [thing]}}
- conditions: {capacity: "0,100Gi"}
  action: {type: fs-backup}
- action: {type: custom}
`)
	disk, share := rich(), claim("share", nfs())
	big := claim("big", ebsCSI(), func(_ *corev1.PersistentVolumeClaim, pv *corev1.PersistentVolume) {
		pv.Spec.StorageClassName = "io2"
		pv.Spec.Capacity[corev1.ResourceStorage] = resource.MustParse("1Ti")
	})
	small := claim("small", ebsCSI(), func(_ *corev1.PersistentVolumeClaim, pv *corev1.PersistentVolume) { pv.Spec.StorageClassName = "io2" })
	for want, of := range map[action]pairOf{actionSnapshot: disk, actionSkip: share, actionCustom: big, actionFiles: small} {
		if got := p.match(subjectOf(&of.pv, &of.claim)); got != want {
			t.Errorf("%s: %q, want %q", of.claim.Name, got, want)
		}
	}
}

func TestParsePoliciesRefuses(t *testing.T) {
	with := func(conditions string) string {
		return policyHead + "- conditions: " + conditions + "\n  action: {type: skip}\n"
	}
	const c = "volumePolicies[0].conditions."
	for name, tc := range map[string]struct{ text, path, message string }{
		"no YAML":              {"a: [", "policies", "no YAML"},
		"empty":                {"", "version", "only v1"},
		"a list":               {"- a", "policies", "not a map"},
		"a text":               {"hello", "policies", "not a map"},
		"version":              {"version: v2", "version", `"v2": only v1`},
		"unknown field":        {"version: v1\nvolumePolicy: []", "volumePolicy", "volumePolicies"},
		"twice":                {"version: v1\nversion: v1", "", "version"},
		"policies, a map":      {"version: v1\nvolumePolicies: {}", "volumePolicies", "not a list"},
		"policy, a text":       {policyHead + "- skip", "volumePolicies[0]", "not a map"},
		"policy field":         {policyHead + "- {condition: {}, action: {type: skip}}", "volumePolicies[0].condition", "no field"},
		"no action":            {policyHead + "- conditions: {}", "volumePolicies[0].action.type", `"": use skip`},
		"action":               {policyHead + "- action: {type: Skip}", "volumePolicies[0].action.type", `"Skip"`},
		"parameters":           {policyHead + "- action: {type: skip, parameters: 3}", "volumePolicies[0].action.parameters", "not a map"},
		"condition":            {with(`{capcity: "1,2"}`), c + "capcity", "no field"},
		"capacity, no comma":   {with(`{capacity: 10Gi}`), c + "capacity", "comma"},
		"capacity, three":      {with(`{capacity: "1,2,3"}`), c + "capacity", "comma"},
		"capacity, no number":  {with(`{capacity: "ten,"}`), c + "capacity", "not a quantity"},
		"capacity, negative":   {with(`{capacity: "-1Gi,"}`), c + "capacity", "not a quantity"},
		"capacity, endless":    {with(`{capacity: "1e99999999,"}`), c + "capacity", "not a quantity"},
		"capacity, tiny":       {with(`{capacity: "1e-2147483647,"}`), c + "capacity", "not a quantity"},
		"capacity, long":       {with(`{capacity: "` + strings.Repeat("9", 65) + `,"}`), c + "capacity", "not a quantity"},
		"capacity, turned":     {with(`{capacity: "2Gi,1Gi"}`), c + "capacity", "more than"},
		"class, a text":        {with(`{storageClass: gp3}`), c + "storageClass", "not a list"},
		"class, a map":         {with(`{storageClass: [{}]}`), c + "storageClass[0]", "not a text"},
		"nfs, a text":          {with(`{nfs: files}`), c + "nfs", "not a map"},
		"nfs field":            {with(`{nfs: {servr: x}}`), c + "nfs.servr", "server, path"},
		"attributes, any":      {with(`{csi: {volumeAttributes: {a: b}}}`), c + "csi.driver", "driver"},
		"type":                 {with(`{volumeTypes: [nfs, NFS]}`), c + "volumeTypes[1]", `"NFS"`},
		"labels, a list":       {with(`{pvcLabels: [a]}`), c + "pvcLabels", "not a map"},
		"label, a list":        {with(`{pvcLabels: {a: [b]}}`), c + "pvcLabels.a", "not a text"},
		"phase":                {with(`{pvcPhase: [pending]}`), c + "pvcPhase[0]", "Bound, Pending, Lost"},
		"mode":                 {with(`{pvcVolumeMode: block}`), c + "pvcVolumeMode", "Block"},
		"access mode":          {with(`{pvcAccessModes: [RWO]}`), c + "pvcAccessModes[0]", "ReadWriteOnce"},
		"filter policies":      {"version: v1\nnamespacedFilterPolicies: []", "namespacedFilterPolicies", "not supported"},
		"includes everything":  {"version: v1\nincludeExcludePolicy: {includedClusterScopedResources: [a, '*']}", "includeExcludePolicy.includedClusterScopedResources[1]", "'*'"},
		"included, excluded":   {"version: v1\nincludeExcludePolicy: {includedNamespaceScopedResources: [a], excludedNamespaceScopedResources: [b, a]}", "includeExcludePolicy.excludedNamespaceScopedResources[1]", "also included"},
		"include field":        {"version: v1\nincludeExcludePolicy: {includedResources: [a]}", "includeExcludePolicy.includedResources", "no field"},
		"second policy is bad": {policyHead + "- action: {type: skip}\n- action: {type: x}", "volumePolicies[1].action.type", `"x"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParsePolicies([]byte(tc.text))
			var fields filter.FieldErrors
			if !errors.As(err, &fields) {
				t.Fatalf("error %v", err)
			}
			if tc.path != "" && fields[0].Path != tc.path || !strings.Contains(fields[0].Error(), tc.message) {
				t.Errorf("error %v, want %s: %s", err, tc.path, tc.message)
			}
		})
	}
}

func TestErrorsOfOneDocumentAreBounded(t *testing.T) {
	_, err := ParsePolicies([]byte(policyHead + strings.Repeat("- action: {type: x}\n", 1000)))
	var fields filter.FieldErrors
	if !errors.As(err, &fields) || len(fields) != filter.MaxProblems {
		t.Errorf("%d errors", len(fields))
	}
}

func TestPoliciesOfConfigMap(t *testing.T) {
	for name, tc := range map[string]struct {
		cm corev1.ConfigMap
		ok bool
	}{
		"one key":   {corev1.ConfigMap{Data: map[string]string{"any.yaml": "version: v1"}}, true},
		"binary":    {corev1.ConfigMap{BinaryData: map[string][]byte{"x": []byte("version: v1")}}, true},
		"none":      {corev1.ConfigMap{}, false},
		"two keys":  {corev1.ConfigMap{Data: map[string]string{"a": "version: v1", "b": "version: v1"}}, false},
		"bad":       {corev1.ConfigMap{Data: map[string]string{"a": "version: v3"}}, false},
		"two kinds": {corev1.ConfigMap{Data: map[string]string{"a": "version: v1"}, BinaryData: map[string][]byte{"x": nil}}, false},
	} {
		if p, err := PoliciesOf(&tc.cm); (err == nil) != tc.ok || (p != nil) != tc.ok {
			t.Errorf("%s: %v, %v", name, p, err)
		}
	}
}

func TestMerge(t *testing.T) {
	p := mustParse(t, `
version: v1
includeExcludePolicy:
  includedClusterScopedResources: [nodes, storageclasses]
  excludedClusterScopedResources: [clusterroles]
  includedNamespaceScopedResources: [pods, secrets]
  excludedNamespaceScopedResources: [events]
`).Filter
	spec := velerov1.BackupSpec{
		ExcludedClusterScopedResources:   []string{"nodes"},
		IncludedNamespaceScopedResources: []string{"*"},
	}
	if err := p.Merge(&spec); err != nil {
		t.Fatal(err)
	}
	want := velerov1.BackupSpec{
		IncludedClusterScopedResources:   []string{"storageclasses"},
		ExcludedClusterScopedResources:   []string{"nodes", "clusterroles"},
		IncludedNamespaceScopedResources: []string{"*"},
		ExcludedNamespaceScopedResources: []string{"events"},
	}
	if !reflect.DeepEqual(spec, want) {
		t.Errorf("got %+v", spec)
	}
	for _, old := range []velerov1.BackupSpec{{IncludeClusterResources: set(false)}, {IncludedResources: []string{"pods"}}, {ExcludedResources: []string{"pods"}}} {
		if p.Merge(&old) == nil {
			t.Errorf("goes together with %+v", old)
		}
		if (*IncludeExclude)(nil).Merge(&old) != nil {
			t.Error("no policy is an error")
		}
	}
}

func TestEveryVolumeTypeIsASource(t *testing.T) {
	if n := len(volumeTypes()); n != 30 {
		t.Errorf("%d types", n)
	}
	if got := sourceType(corev1.VolumeSource{StorageOS: &corev1.StorageOSVolumeSource{}}); got != "storageOS" {
		t.Errorf("got %q", got)
	}
	if got := sourceType(corev1.PersistentVolumeSource{CephFS: &corev1.CephFSPersistentVolumeSource{}}); got != "cephfs" {
		t.Errorf("got %q", got)
	}
}

func FuzzParsePolicies(f *testing.F) {
	f.Add([]byte(policyHead + "- conditions: {capacity: \"1Gi,\", csi: {driver: a}, pvcLabels: {a: b}}\n  action: {type: skip}\n"))
	f.Add([]byte("\"\": 1\nversion: v1"))
	f.Add([]byte("version: v1\nx: &a [*a]\nvolumePolicies: *a"))
	f.Add([]byte(policyHead + "- conditions: {capacity: \"1e2147483647,\"}\n  action: {type: skip}\n"))
	f.Add([]byte("version: v1\nvolumePolicies: [{conditions: &c {nfs: {}}, action: {type: skip}}, {conditions: *c, action: {type: custom}}]"))
	of := rich()
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ParsePolicies(data)
		if (p == nil) == (err == nil) {
			t.Fatalf("%v, %v", p, err)
		}
		var fields filter.FieldErrors
		if err != nil && (!errors.As(err, &fields) || len(fields) == 0 || fields[0].Path == "") {
			t.Errorf("error %v names no field", err)
		}
		p.match(subjectOf(&of.pv, &of.claim))
	})
}
