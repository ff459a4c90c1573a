package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"
)

// table prints what a person compares.
func (b *bench) table(out io.Writer) {
	fmt.Fprintf(out, "\n%s\n\n", machine())
	for _, r := range b.rows {
		w := tabwriter.NewWriter(out, 2, 8, 2, ' ', 0)
		fmt.Fprintf(w, "%d objects of %d bytes in %d namespaces\ttime\tobjects/s\tratio\n", r.Size.Objects, r.Size.Bytes, r.Size.Namespaces)
		line := func(name string, seconds float64, ratio string) {
			if seconds > 0 {
				fmt.Fprintf(w, "%s\t%.2f s\t%.0f\t%s\n", name, seconds, float64(r.Size.Objects)/seconds, ratio)
			}
		}
		line("limit: bare LIST, decoded", r.BareList, "")
		line(fmt.Sprintf("Velero backup, QPS %d", veleroQPS), r.VeleroBackup, "")
		line("Lifeboat backup", r.LifeboatBackup, times(r.VeleroBackup, r.LifeboatBackup, "x Velero"))
		line("limit: bare CREATE, 32 workers", r.BareCreate, "")
		line("the same after a deletion", r.BareCreateAgain, "")
		line(fmt.Sprintf("Velero restore, QPS %d", veleroQPS), r.VeleroRestore, "")
		line("Lifeboat restore", r.LifeboatRestore, times(r.VeleroRestore, r.LifeboatRestore, "x Velero, ")+times(r.BareCreateAgain, r.LifeboatRestore, "of bare CREATE after a deletion"))
		fmt.Fprintf(w, "worker peak RSS: backup %s, restore %s\t\t\t\n", mib(r.WorkerRSSBackup), mib(r.WorkerRSSRestore))
		fmt.Fprintf(w, "tarball %s, activities %d\t\t\t\n", mib(r.TarballBytes), r.BackupActivities)
		line("restore of one Secret", r.OneSecretSeconds, fmt.Sprintf("%d bytes read, %.2f%% of the tarball", r.OneSecretBytes, 100*r.OneSecretBytesAll))
		_ = w.Flush()
		fmt.Fprintln(out)
	}
}

func times(peer, own float64, what string) string {
	if peer == 0 || own == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f %s", peer/own, what)
}

func mib(n int64) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20))
}

// machine describes where the figures are from.
func machine() string {
	cpu := "unknown CPU"
	if data, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for _, line := range strings.Split(string(data), "\n") {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				cpu = strings.TrimSpace(value)
				break
			}
		}
	}
	return fmt.Sprintf("%d cores of %s, shared by API server, etcd, S3 server, Temporal and the tool; %s", runtime.NumCPU(), cpu, runtime.Version())
}

// volumeTable prints what was measured of volumes.
func (b *bench) volumeTable(out io.Writer) {
	if len(b.volumes) == 0 {
		return
	}
	w := tabwriter.NewWriter(out, 2, 8, 2, ' ', 0)
	fmt.Fprintln(w, "volumes in one backup\tlimit\tsnapshots\tratio\twhole backup\tratio\tCLI\tEC2 calls\trefused\tworker peak RSS\tVelero")
	for _, r := range b.volumes {
		limit := "-"
		if r.Least > 0 {
			limit = fmt.Sprintf("%.1f s", r.Least)
		}
		fmt.Fprintf(w, "%d, %s\t%s\t%.1f s\t%s\t%.1f s\t%s\t%.1f s\t%d\t%d\t%s\t%s\n",
			r.Volumes, r.Path, limit, r.Snapshots, share(r.Snapshots, r.Least), r.Workflow, share(r.Workflow, r.Least), r.Command,
			r.Calls, r.refusals(), mib(r.WorkerRSS), peer(r))
	}
	_ = w.Flush()
	fmt.Fprintln(out)
}

func share(own, least float64) string {
	if least == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", own/least)
}

func peer(r volumeRow) string {
	if r.Velero == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f s, %s", r.Velero, times(r.Velero, r.Command, "x"))
}
