package main

// rules is what the packages of a module are held against.
type rules struct {
	// Layers from top to bottom. A package may import packages of lower layers only.
	Layers []layer
	// Beside are the imports between packages of one layer.
	Beside []use
	// MaxLines bounds a package's source, tests apart; Limits has other bounds.
	MaxLines int
	Limits   map[string]int
	Reserved []reserved
}

// reserved is what only some packages may mention: the one owner of a thing, and who has a
// reason. Pattern is of a string with its quotes, or of a name of another package.
type reserved struct {
	Pattern string
	To      []string // as in a layer
	Why     string
}

// layer is a set of packages that do not need each other.
type layer struct {
	Name string
	// Packages are paths relative to the module. One that ends in "/..." means all packages
	// below it, but not itself; the longest path that fits a package decides.
	Packages []string
}

// use is the use of one package by another. In rules.Beside both may end in "/...".
type use struct{ From, To string }

// productRules is the table of docs/ARCHITECTURE.md.
func productRules() rules {
	return rules{
		// A package of more lines has more than one purpose: those of comparable code bases
		// (kopia, restic, Velero) have 600 to 700 on average. Activities only decode their
		// input, call a use case and type its error.
		MaxLines: 3000,
		Limits:   map[string]int{"activities": 1000},
		Layers: []layer{
			{"support of tests", []string{"internal/backup/backuptest", "internal/golden", "internal/golden/schema", "internal/kube/kubetest", "internal/repository/repositorytest", "internal/rehearsal/controlplane/controlplanetest", "internal/rehearsal/rehearsaltest", "internal/restore/restoretest", "internal/store/storetest", "internal/volume/volumetest"}},
			{"programs", []string{"starter", "worker"}},
			{"commands", []string{"starter/internal/..."}},
			{"what commands share", []string{"starter/internal/console", "starter/internal/noun"}},
			{"parts of the command line", []string{"starter/internal/command", "starter/internal/fetch", "starter/internal/input", "starter/internal/listing", "starter/internal/manifest", "starter/internal/show", "starter/internal/stored"}},
			{"workflows and activities", []string{"activities", "workflows"}},
			{"rehearsals and drills", []string{"internal/drill", "internal/rehearsal"}},
			{"steps of use cases", []string{"internal/backup/...", "internal/restore/..."}},
			{"what is measured of use cases", []string{"internal/monitoring"}},
			{"use cases", []string{"internal/backup", "internal/catalog", "internal/deletion", "internal/doctor", "internal/garbage", "internal/garbage/orphan", "internal/integrity", "internal/restore", "internal/schedule"}},
			{"the registry of volume drivers", []string{"internal/volume/drivers"}},
			{"what a run belongs to", []string{"internal/binding"}},
			{"parts of rehearsals and drills", []string{"internal/drill/assertion", "internal/drill/notify", "internal/drill/readiness", "internal/rehearsal/controlplane", "internal/rehearsal/reference"}},
			{"volume drivers", []string{"internal/volume/..."}},
			{"what volume drivers share", []string{"internal/volume/location", "internal/volume/snapshotcontent"}},
			{"documents beside backups", []string{"internal/repository/beside"}},
			{"the bucket's documents", []string{"internal/repository", "internal/repository/..."}},
			{"compressed documents", []string{"internal/repository/packed"}},
			{"configuration", []string{"internal/config"}},
			{"errors and progress", []string{"internal/failure", "internal/heartbeat", "internal/store/memstore"}},
			{"the outside", []string{"internal/aws/...", "internal/kube", "internal/kube/...", "internal/store", "internal/store/bucket", "internal/temporal", "internal/temporal/..."}},
			{"the outside's helpers", []string{"internal/aws/awsconf", "internal/aws/awserr", "internal/aws/ebs/quota", "internal/kube/jsonlist", "internal/telemetry/export"}},
			{"changes of objects", []string{"internal/modify", "internal/plan"}},
			{"objects", []string{"internal/resource"}},
			{"references between objects", []string{"internal/resource/residual"}},
			{"comparison of objects", []string{"internal/resource/compare"}},
			{"rules of drills", []string{"internal/drill/definition/validation", "internal/drill/estimate", "internal/drill/isolation"}},
			{"schedules played through time", []string{"internal/simulation"}},
			{"pods, volumes, time", []string{"internal/change", "internal/hook", "internal/retention", "internal/schedule/preset", "internal/timing", "internal/verification", "internal/volume"}},
			{"selection", []string{"internal/filter"}},
			{"roles in AWS", []string{"internal/iam"}},
			{"pages of documents", []string{"internal/drill/page"}},
			{"formats and words", []string{"deploy/helm", "docs/schemas", "internal/archive", "internal/contract", "internal/drill/evidence", "internal/report"}},
			{"what a drill is to do", []string{"internal/drill/definition"}},
			{"keys of the bucket", []string{"internal/archive/layout"}},
			{"helpers", []string{"internal/content", "internal/drill/readthrough", "internal/glob", "internal/iam/evaluation", "internal/lease", "internal/parallel", "internal/poll", "internal/resource/builtin", "internal/telemetry"}},
		},
		Beside: []use{
			{"internal/backup/snapshot", "internal/backup/quiesce"}, // hooks run around the snapshot they are for
			{"internal/backup/backuptest", "internal/volume/volumetest"},
			{"internal/kube/connect", "internal/kube"},
			{"internal/kube/exec", "internal/kube"},
			{"internal/contract", "internal/drill/evidence"},      // results of assertions are in the words of the evidence
			{"internal/repository/drills", "internal/repository"}, // evidence is a document of the bucket
			{"internal/store/bucket", "internal/store"},
			{"starter/internal/noun", "starter/internal/console"},
			{"starter/internal/drill", "starter/internal/schedules"}, // schedules of drills are schedules
			{"starter/internal/command", "starter/internal/manifest"},
			{"starter/internal/input", "starter/internal/manifest"},
			{"starter/internal/listing", "starter/internal/manifest"},
			{"starter/internal/show", "starter/internal/manifest"},
			{"starter/internal/show", "starter/internal/stored"},
			{"starter/internal/stored", "starter/internal/fetch"}, // objects by signed URL
		},
		Reserved: []reserved{
			{`^"(backups/|restores/|plugins/|-lifeboat-)`, []string{"internal/archive/layout", "internal/store/storetest"}, "a key of the bucket: internal/archive/layout alone builds keys"},
			{`^layout\.PluginDir$`, []string{"internal/iam", "internal/store"}, "keys below it are built in internal/archive/layout"},
			// Velero's files have a field for each technology; catalog tells the CLI of them.
			{`^volume\.(MethodNative|MethodCSI|VeleroNative|VeleroCSI)$`, []string{"internal/volume/...", "internal/catalog"}, "only a driver knows that a volume is its own; ask volume.Technologies"},
			// A search for orphans deletes VolumeSnapshots in the cluster that no backup has; they belong to no run,
			// so that no driver of one could.
			{`/internal/volume/(csi|native)"$`, []string{"internal/volume/drivers", "internal/garbage/orphan"}, "a driver: use cases get it from internal/volume/drivers, which makes it"},
		},
	}
}
