package resource

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lifeboat-backup/lifeboat/internal/report"
)

// workTypes are the custom resources that stand for work, as Jobs do. Restored without
// their status they would begin again: a finished restore of a database loads last month's
// dump over it, a finished pipeline deploys, a certificate is ordered anew.
func workTypes() []string {
	return []string{
		"backups.postgresql.cnpg.io",
		"certificaterequests.cert-manager.io", "challenges.acme.cert-manager.io", "orders.acme.cert-manager.io",
		"customruns.tekton.dev", "pipelineruns.tekton.dev", "taskruns.tekton.dev",
		"perconapgrestores.pgv2.percona.com", "perconaservermongodbrestores.psmdb.percona.com",
		"perconaservermysqlrestores.ps.percona.com", "perconaxtradbclusterrestores.pxc.percona.com",
		"rayjobs.ray.io", "sparkapplications.sparkoperator.k8s.io", "workflows.argoproj.io",
		"restores.k8s.mariadb.com", "restores.k8up.io", "restores.resources.cattle.io", "restoresessions.stash.appscode.com", "restoresessions.core.kubestash.com",
	}
}

// judgeWork looks whether a custom resource stands for work that had ended, and whose status
// is not restored. Of the types that are known to be work it is skipped; of others, of
// which nobody here knows what their controllers do, that is told.
func (c *Context) judgeWork(resource string, k kind, obj map[string]any, out *Outcome) {
	if _, custom := DefinitionOf(resource); !custom || c.keepsStatus(resource, k, obj) {
		return
	}
	why := workEnd(child(obj, "status"), k.isWork)
	switch {
	case why == "":
	case k.isWork:
		out.setSkip(report.Finished, fmt.Sprintf("its work had ended (%s), and would begin again", why))
	default:
		out.addWarning(report.MayRunAgain, fmt.Sprintf("its status says that it had ended (%s); restored without the status, its controller may begin again. --status-include-resources %s keeps it", why, resource))
	}
}

// workEnd says by which field a status tells that work had ended, "" if it does not.
// Types that are known to be work use words that say less elsewhere.
func workEnd(status map[string]any, isWork bool) string {
	for _, field := range []string{
		"completionTime", "completionTimestamp", "completedAt", "restoreCompletionTs", "stoppedAt", "finishedAt", "finishTime", "finishTimestamp",
	} {
		if at := str(status, field); at != "" {
			return field + " " + at
		}
	}
	for _, kind := range []string{"Succeeded", "Complete", "Completed", "Finished", "Failed"} {
		if condition(status, kind) == "True" {
			return "condition " + kind
		}
	}
	if why := knownWorkEnd(status); isWork && why != "" {
		return why
	}
	for _, word := range []string{str(status, "phase"), str(status, "state"), str(status, "jobStatus"), str(child(status, "applicationState"), "state")} {
		if endsWork(word, isWork) {
			return word
		}
	}
	return ""
}

// knownWorkEnd are the signs by which the known types alone tell that they have ended: a request to
// cert-manager is ready, or was refused or has failed, which it does not try again.
func knownWorkEnd(status map[string]any) string {
	for _, kind := range []string{"Ready", "Denied", "InvalidRequest"} {
		if condition(status, kind) == "True" {
			return "condition " + kind
		}
	}
	if at := str(status, "failureTime"); at != "" {
		return "failureTime " + at
	}
	return ""
}

func endsWork(word string, isWork bool) bool {
	switch strings.ToLower(word) {
	case "succeeded", "completed", "complete", "failed", "finished", "done":
		return true
	case "error", "errored", "rejected", "stopped", "ready", "valid", "invalid", "expired":
		return isWork
	}
	return false
}

// judgePodOwner warns of a custom resource that belongs to a Pod which is not restored: an
// endpoint or a node's note of it, which would have gone with that Pod. The owner is not
// looked for when owners are linked.
func (c *Context) judgePodOwner(resource string, obj map[string]any, out *Outcome) {
	if _, custom := DefinitionOf(resource); !custom || c.Has == nil {
		return
	}
	out.Owners = slices.DeleteFunc(out.Owners, func(o OwnerRef) bool {
		if o.Kind != "Pod" || o.APIVersion != "v1" || c.isRestored(Pods, namespace(obj), o.Name) {
			return false
		}
		out.addWarning(report.OfLostPod, fmt.Sprintf("it belonged to pod %s, which is not restored", o.Name))
		return true
	})
}
