package hook

import (
	"encoding/json"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// read decodes a value as users write it; YAML would be the same.
func read[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

// database is a pod with two containers that run, one that crashes and an init
// container that stays beside them.
func database(t *testing.T, annotations map[string]string) *corev1.Pod {
	pod := read[*corev1.Pod](t, `{
"metadata": {"namespace": "shop", "name": "db-0", "labels": {"app": "db"}},
"spec": {
  "initContainers": [{"name": "mesh", "restartPolicy": "Always"}, {"name": "setup"}],
  "containers": [{"name": "postgres"}, {"name": "exporter"}, {"name": "broken"}]},
"status": {"phase": "Running",
  "initContainerStatuses": [{"name": "mesh", "state": {"running": {}}}, {"name": "setup", "state": {"terminated": {"reason": "Completed"}}}],
  "containerStatuses": [{"name": "postgres", "state": {"running": {}}}, {"name": "exporter", "ready": true, "state": {"running": {}}},
    {"name": "broken", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}}`)
	pod.Annotations = annotations
	return pod
}
