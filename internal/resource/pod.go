package resource

import (
	"fmt"
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/report"
)

const annotationMirror = "kubernetes.io/config.mirror"

// restorePod makes a Pod schedulable anew. Pods that had ended, and the mirrors
// of static Pods, are skipped. The projected kube-api-access volume is kept: the
// kubelet fills it, and admission adds none where it is mounted already.
func restorePod(c *Context, obj map[string]any, out *Outcome) error {
	spec := child(obj, "spec")
	// nodeName names a node of the old cluster; the others are computed by
	// admission from PriorityClass and RuntimeClass, which refuses a value that
	// differs; ephemeral containers may not be stated in a create.
	drop(spec, "nodeName", "priority", "preemptionPolicy", "overhead", "ephemeralContainers")
	dropTokenVolumes(spec)
	dropVeleroWait(spec)
	dropAnnotations(obj, podNetworkAnnotations()...)
	skipPod(c, obj, out)
	if out.Skipped() {
		return nil
	}
	return addInitHooks(c, obj, out)
}

func skipPod(c *Context, obj map[string]any, out *Outcome) {
	if annotation(obj, annotationMirror) != "" {
		out.setSkip(report.ClusterManaged, "a mirror of a static pod: the kubelet makes it from a file on its node")
		return
	}
	switch phase := str(child(obj, "status"), "phase"); phase {
	case "Succeeded", "Failed":
		out.setSkip(report.Finished, "the pod had ended: phase "+phase)
		return
	}
	for _, owner := range objects(child(obj, "metadata"), "ownerReferences") {
		kind, starter := str(owner, "kind"), str(owner, "name")
		if gr := startsPods(str(owner, "apiVersion"), kind); gr != "" && boolean(owner, "controller") && c.isRestored(gr, namespace(obj), starter) {
			// A Job finds its Pods by its own uid, which is new: it would not
			// adopt this one, and its work would be done twice.
			out.setSkip(report.OwnerRecreates, fmt.Sprintf("%s %s is restored and starts its own pods", strings.ToLower(kind), starter))
			return
		}
	}
}

// startsPods is the type ("plural.group") of an owner that starts pods of its own for work
// that ends, "" for one that adopts those that are there.
func startsPods(apiVersion, kind string) string {
	group, _, _ := strings.Cut(apiVersion, "/")
	switch group + "/" + kind {
	case "batch/Job":
		return "jobs.batch"
	case "tekton.dev/TaskRun":
		return "taskruns.tekton.dev"
	case "argoproj.io/Workflow":
		return "workflows.argoproj.io"
	case "actions.github.com/EphemeralRunner":
		return "ephemeralrunners.actions.github.com"
	case "kubevirt.io/VirtualMachineInstance":
		return "virtualmachineinstances.kubevirt.io"
	case "sparkoperator.k8s.io/SparkApplication":
		return "sparkapplications.sparkoperator.k8s.io"
	case "batch.volcano.sh/Job":
		return "jobs.batch.volcano.sh"
	}
	return ""
}

// podNetworkAnnotations are written by network plugins for one life of a pod
// (Calico, Multus, the VPC CNI's security groups); stale ones mislead them.
func podNetworkAnnotations() []string {
	return []string{
		"cni.projectcalico.org/containerID", "cni.projectcalico.org/podIP", "cni.projectcalico.org/podIPs",
		"k8s.v1.cni.cncf.io/network-status", "k8s.v1.cni.cncf.io/networks-status",
		"vpc.amazonaws.com/pod-eni", "vpc.amazonaws.com/pod-ips",
	}
}

// dropVeleroWait removes the init containers that a Velero restore once put into
// the Pod: they wait for ever for a restore that nobody does.
func dropVeleroWait(spec map[string]any) {
	keepItems(spec, "initContainers", func(item any) bool {
		container, _ := item.(map[string]any)
		switch str(container, "name") {
		case "restore-wait", "restic-wait":
			return false
		}
		return true
	})
}

// dropTokenVolumes removes the volumes of generated token Secrets (Kubernetes
// before 1.24) and their mounts: those Secrets are not restored.
func dropTokenVolumes(spec map[string]any) {
	account := str(spec, "serviceAccountName")
	if account == "" {
		account = str(spec, "serviceAccount")
	}
	gone := map[string]bool{}
	keepItems(spec, "volumes", func(item any) bool {
		volume, _ := item.(map[string]any)
		generated := generatedToken(account, str(child(volume, "secret"), "secretName"))
		if generated {
			gone[str(volume, "name")] = true
		}
		return !generated
	})
	if len(gone) > 0 {
		dropMounts(spec, gone)
	}
}

func dropMounts(spec map[string]any, gone map[string]bool) {
	for _, containers := range []string{"containers", "initContainers"} {
		for _, container := range objects(spec, containers) {
			keepItems(container, "volumeMounts", func(item any) bool {
				mount, _ := item.(map[string]any)
				return !gone[str(mount, "name")]
			})
		}
	}
}

// relatedToPod names the claims and the PriorityClass of a Pod. A claim made
// from an ephemeral volume is named <pod>-<volume>.
func relatedToPod(obj map[string]any) []Ref {
	spec := child(obj, "spec")
	var refs []Ref
	for _, volume := range objects(spec, "volumes") {
		claim := str(child(volume, "persistentVolumeClaim"), "claimName")
		if child(volume, "ephemeral") != nil && claim == "" {
			claim = name(obj) + "-" + str(volume, "name")
		}
		if claim != "" {
			refs = append(refs, Ref{Resource: PersistentVolumeClaims, Namespace: namespace(obj), Name: claim})
		}
	}
	if class := str(spec, "priorityClassName"); class != "" {
		refs = append(refs, Ref{Resource: "priorityclasses.scheduling.k8s.io", Name: class})
	}
	return refs
}
