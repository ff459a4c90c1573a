package compare

import "strings"

// Transient types are the cluster's own running state; Velero does not restore
// them either.
func Transient(gr string) bool {
	switch gr {
	case "events", "events.events.k8s.io", "nodes", "leases.coordination.k8s.io", "csinodes.storage.k8s.io",
		"volumeattachments.storage.k8s.io", "endpoints", "endpointslices.discovery.k8s.io",
		"ipaddresses.networking.k8s.io", "controllerrevisions.apps":
		return true
	}
	return strings.HasSuffix(gr, ".metrics.k8s.io") || strings.HasSuffix(gr, ".velero.io")
}

// Remade objects are made anew by their controllers, under new names or with new
// content: pods of Jobs, token Secrets.
func Remade(gr string, obj map[string]any) bool {
	meta := child(obj, "metadata")
	switch gr {
	case "pods":
		for _, o := range list(meta, "ownerReferences") {
			if ref, _ := o.(map[string]any); ref["kind"] == "Job" {
				return true
			}
		}
		phase := child(obj, "status")["phase"]
		return phase == "Succeeded" || phase == "Failed"
	case "jobs.batch":
		return child(obj, "status")["completionTime"] != nil
	case "configmaps":
		return meta["name"] == "kube-root-ca.crt"
	}
	return obj["type"] == "kubernetes.io/service-account-token"
}

// Normalise drops what no restore can keep: identities and times that the API
// server gives, status, and what the cluster allocates.
func Normalise(gr string, obj map[string]any) {
	delete(obj, "status")
	meta := child(obj, "metadata")
	for _, field := range []string{"uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink", "generateName"} {
		delete(meta, field)
	}
	drop(meta, "labels", "velero.io/backup-name", "velero.io/restore-name")
	drop(meta, "annotations", "deployment.kubernetes.io/revision", "pv.kubernetes.io/bind-completed", "pv.kubernetes.io/bound-by-controller",
		"volume.kubernetes.io/selected-node", "volume.kubernetes.io/storage-provisioner", "volume.beta.kubernetes.io/storage-provisioner")
	for _, o := range list(meta, "ownerReferences") {
		if ref, _ := o.(map[string]any); ref != nil {
			delete(ref, "uid")
		}
	}
	switch gr {
	case "jobs.batch":
		dropUIDs(meta) // a Job without labels reads as if it had those of its template
	case "pods":
		drop(meta, "labels", "topology.kubernetes.io/zone", "topology.kubernetes.io/region") // of the node it was bound to
	}
	allocated(gr, child(obj, "spec"))
}

func dropUIDs(meta map[string]any) {
	drop(meta, "labels", "controller-uid", "batch.kubernetes.io/controller-uid", "job-name", "batch.kubernetes.io/job-name")
}

// allocated drops what the cluster chooses for each new object.
func allocated(gr string, spec map[string]any) {
	switch gr {
	case "pods":
		delete(spec, "nodeName")
		dropTokenNames(spec)
	case "services":
		if spec["clusterIP"] != "None" {
			delete(spec, "clusterIP")
			delete(spec, "clusterIPs")
		}
		for _, p := range list(spec, "ports") {
			if port, _ := p.(map[string]any); port != nil {
				delete(port, "nodePort")
			}
		}
		delete(spec, "healthCheckNodePort")
	case "persistentvolumeclaims":
		delete(spec, "volumeName")
	case "persistentvolumes":
		claim := child(spec, "claimRef")
		delete(claim, "uid")
		delete(claim, "resourceVersion")
	case "jobs.batch":
		delete(spec, "selector")
		dropUIDs(child(child(spec, "template"), "metadata"))
	}
}

// dropTokenNames: the volume of a pod's own token has a random name.
func dropTokenNames(spec map[string]any) {
	for _, v := range list(spec, "volumes") {
		if vol, _ := v.(map[string]any); strings.HasPrefix(str(vol, "name"), "kube-api-access-") {
			vol["name"] = "kube-api-access"
		}
	}
	for _, kind := range []string{"containers", "initContainers"} {
		for _, c := range list(spec, kind) {
			for _, m := range list(asMap(c), "volumeMounts") {
				if mount := asMap(m); strings.HasPrefix(str(mount, "name"), "kube-api-access-") {
					mount["name"] = "kube-api-access"
				}
			}
		}
	}
}

func drop(parent map[string]any, field string, keys ...string) {
	m := child(parent, field)
	for _, k := range keys {
		delete(m, k)
	}
	if len(m) == 0 {
		delete(parent, field)
	}
}

func asMap(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

func child(m map[string]any, field string) map[string]any { return asMap(m[field]) }

func list(m map[string]any, field string) []any {
	l, _ := m[field].([]any)
	return l
}

func str(m map[string]any, field string) string {
	s, _ := m[field].(string)
	return s
}
