package main

import (
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// options are what the command line says.
type options struct {
	out, only, profile string
	quick, velero      bool
	veleroRestore      bool  // also the peer's restore of 50,000 objects
	counts             []int // of volumes in one backup
	csiVolumes         int
}

func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.StringVar(&o.out, "json", "dist/bench.json", "results `file`")
	flags.StringVar(&o.only, "only", "", "one `part`: objects, lists, rehearsal or volumes; default: all")
	flags.BoolVar(&o.quick, "quick", false, "10,000 objects and 10 volumes only")
	flags.BoolVar(&o.velero, "velero", true, "measure Velero too")
	flags.BoolVar(&o.veleroRestore, "velero-restore", false, "measure Velero's restore of 50,000 objects too, which takes about 10 minutes")
	flags.IntVar(&o.csiVolumes, "csi-volumes", 100, "of how many volumes Velero makes a backup; it takes 5 s for each")
	flags.StringVar(&o.profile, "profile", "", "`directory` for CPU profiles of the worker")
	sizes := flags.String("volumes", "10,100,300", "how many volumes are in one backup, a `list`")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if parts := []string{"", partObjects, partLists, partRehearsal, partVolumes}; !slices.Contains(parts, o.only) {
		return o, fmt.Errorf("-only: %q is no part; use one of%s", o.only, strings.Join(parts, " "))
	}
	for _, text := range strings.Split(*sizes, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || n < 1 {
			return o, fmt.Errorf("-volumes: %q is no number of volumes", text)
		}
		o.counts = append(o.counts, n)
	}
	if o.quick {
		o.counts, o.csiVolumes = []int{10}, 10
	}
	if !o.velero {
		o.csiVolumes, o.veleroRestore = 0, false
	}
	return o, nil
}
