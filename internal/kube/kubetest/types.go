package kubetest

import (
	"slices"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
)

// Type is one type that a Server serves. Without Verbs it has all of them.
type Type struct {
	kube.Resource
	// Status says that the status is a sub-resource, which ordinary writes leave
	// alone.
	Status bool
	// Custom says that a definition made the type: its lists name the type of each
	// item, which those of built-in types do not.
	Custom bool
}

// allVerbs are those of a type that says nothing else.
func allVerbs() []string {
	return []string{"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}
}

// CommonTypes are the types that backups and restores have to do with anywhere.
func CommonTypes() []Type {
	builtIn := func(group, version, name, singular, kind string, namespaced, status bool, short ...string) Type {
		return Type{Resource: kube.Resource{Group: group, Version: version, Name: name, Singular: singular, Kind: kind, Namespaced: namespaced, ShortNames: short}, Status: status}
	}
	custom := func(t Type) Type {
		t.Custom = true
		return t
	}
	const snapshots = "snapshot.storage.k8s.io"
	return []Type{
		builtIn("", "v1", "configmaps", "configmap", "ConfigMap", true, false, "cm"),
		builtIn("", "v1", "namespaces", "namespace", "Namespace", false, true, "ns"),
		builtIn("", "v1", "nodes", "node", "Node", false, true, "no"),
		builtIn("", "v1", "persistentvolumeclaims", "persistentvolumeclaim", "PersistentVolumeClaim", true, true, "pvc"),
		builtIn("", "v1", "persistentvolumes", "persistentvolume", "PersistentVolume", false, true, "pv"),
		builtIn("", "v1", "pods", "pod", "Pod", true, true, "po"),
		builtIn("", "v1", "secrets", "secret", "Secret", true, false),
		builtIn("", "v1", "serviceaccounts", "serviceaccount", "ServiceAccount", true, false, "sa"),
		builtIn("", "v1", "services", "service", "Service", true, true, "svc"),
		builtIn("apiextensions.k8s.io", "v1", "customresourcedefinitions", "customresourcedefinition", "CustomResourceDefinition", false, true, "crd"),
		builtIn("apiregistration.k8s.io", "v1", "apiservices", "apiservice", "APIService", false, true),
		builtIn("apps", "v1", "deployments", "deployment", "Deployment", true, true, "deploy"),
		builtIn("apps", "v1", "statefulsets", "statefulset", "StatefulSet", true, true, "sts"),
		builtIn("rbac.authorization.k8s.io", "v1", "clusterroles", "clusterrole", "ClusterRole", false, false),
		builtIn("rbac.authorization.k8s.io", "v1", "roles", "role", "Role", true, false),
		builtIn("storage.k8s.io", "v1", "csidrivers", "csidriver", "CSIDriver", false, false),
		builtIn("storage.k8s.io", "v1", "csinodes", "csinode", "CSINode", false, false),
		builtIn("storage.k8s.io", "v1", "storageclasses", "storageclass", "StorageClass", false, false, "sc"),
		builtIn("storage.k8s.io", "v1", "volumeattachments", "volumeattachment", "VolumeAttachment", false, true),
		custom(builtIn(snapshots, "v1", "volumesnapshotclasses", "volumesnapshotclass", "VolumeSnapshotClass", false, false)),
		custom(builtIn(snapshots, "v1", "volumesnapshotcontents", "volumesnapshotcontent", "VolumeSnapshotContent", false, true)),
		custom(builtIn(snapshots, "v1", "volumesnapshots", "volumesnapshot", "VolumeSnapshot", true, true)),
	}
}

// Serve begins to serve types, as the creation of a definition does.
func (s *Server) Serve(types ...Type) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range types {
		s.types = slices.DeleteFunc(s.types, func(o Type) bool {
			return o.GroupResource() == t.GroupResource() && o.Version == t.Version
		})
		s.types = append(s.types, t)
	}
}

// Withdraw ends the service of a type in all its versions.
func (s *Server) Withdraw(groupResource string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.types = slices.DeleteFunc(s.types, func(t Type) bool { return t.GroupResource() == groupResource })
}

// typeOf finds the type of a request. The caller holds the lock.
func (s *Server) typeOf(group, version, name string) (Type, bool) {
	i := slices.IndexFunc(s.types, func(t Type) bool { return t.Group == group && t.Version == version && t.Name == name })
	if i < 0 {
		return Type{}, false
	}
	return s.types[i], true
}

// typeOfKind finds the type of an object. The caller holds the lock.
func (s *Server) typeOfKind(apiVersion, kind string) (Type, bool) {
	i := slices.IndexFunc(s.types, func(t Type) bool { return t.APIVersion() == apiVersion && t.Kind == kind })
	if i < 0 {
		return Type{}, false
	}
	return s.types[i], true
}

// hasVerb reports whether the type has a verb.
func (t Type) hasVerb(verb string) bool {
	return len(t.Verbs) == 0 || slices.Contains(t.Verbs, verb)
}
