package readiness

import (
	"context"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lifeboat-backup/lifeboat/internal/kube"
)

// warnings are the newest warning about each object of a namespace: why a volume cannot be mounted
// and why a controller's pods are refused stands in events alone.
type warnings map[types.UID]warning

type warning struct {
	at   time.Time
	text string
}

func (w warnings) of(uid types.UID) string { return w[uid].text }

// ofVolume is what was told of a volume to a pod that mounts it: where several wait for one mount, the
// kubelet tells one of them.
func (w warnings) ofVolume(volume string, by []*corev1.Pod) string {
	for _, p := range by {
		if text := w.of(p.UID); volume != "" && strings.Contains(text, strconv.Quote(volume)) {
			return text
		}
	}
	return ""
}

func readWarnings(ctx context.Context, client *kube.Client, namespace string) (warnings, error) {
	all := warnings{}
	err := kube.List(ctx, client, kube.Events(), namespace, "", func(e corev1.Event) error {
		at := e.CreationTimestamp.Time
		for _, other := range []time.Time{e.LastTimestamp.Time, e.EventTime.Time} {
			if other.After(at) {
				at = other
			}
		}
		if e.Type == corev1.EventTypeWarning && !at.Before(all[e.InvolvedObject.UID].at) {
			all[e.InvolvedObject.UID] = warning{at: at, text: e.Reason + ": " + e.Message}
		}
		return nil
	})
	return all, err
}
