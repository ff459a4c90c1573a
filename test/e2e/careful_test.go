//go:build stack

package e2e

// careful are objects of which each needs care in a restore.
const careful = `
{apiVersion: v1, kind: Namespace, metadata: {name: <src>}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: web, namespace: <src>, labels: {part: account}}, imagePullSecrets: [{name: registry}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: web, namespace: <src>}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: web, namespace: <src>}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: web}
subjects:
- {kind: ServiceAccount, name: web, namespace: <src>}
- {kind: ServiceAccount, name: other, namespace: elsewhere}
- {apiGroup: rbac.authorization.k8s.io, kind: Group, name: "system:serviceaccounts:<src>"}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: refers, namespace: <src>}, data: {url: "http://db.<src>.svc.cluster.local/"}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: <src>, labels: {part: settings}}, data: {a: "1", b: "2"}}
---
{apiVersion: v1, kind: Secret, metadata: {name: token, namespace: <src>, labels: {part: secret}}, stringData: {k: v}}
---
{apiVersion: v1, kind: Secret, metadata: {name: ghost, namespace: <src>, labels: {velero.io/exclude-from-backup: "true"}}}
---
{apiVersion: v1, kind: Service, metadata: {name: stated, namespace: <src>}, spec: {type: NodePort, ports: [{port: 80, nodePort: 30<port>}]}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: done, namespace: <src>}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: "registry.k8s.io/pause:3.10"}]}}}
---
{apiVersion: restore.example.com/v1, kind: Parcel, metadata: {name: st, namespace: <src>}, spec: {n: 1}}
---
{apiVersion: restore.example.com/v1, kind: Ticket, metadata: {name: st, namespace: <src>}, status: {seen: true}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: held, namespace: <src>, finalizers: [example.com/hold]}}
`

// assigned has a node port that the cluster chose: created, not applied.
const assigned = `{apiVersion: v1, kind: Service, metadata: {name: assigned, namespace: <src>}, spec: {type: NodePort, ports: [{port: 80}]}}`

// appliedByTool is owned by server-side appliers, as GitOps tools are.
const appliedByTool = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: synced, namespace: <src>, labels: {app: synced}}
spec:
  replicas: 0
  selector: {matchLabels: {app: synced}}
  template:
    metadata: {labels: {app: synced}}
    spec: {containers: [{name: c, image: "registry.k8s.io/pause:3.10"}]}
`

const appliedByOther = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: synced, namespace: <src>, annotations: {other: tool}}}`

const carefulAround = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: parcels.restore.example.com}
spec:
  group: restore.example.com
  scope: Namespaced
  names: {plural: parcels, singular: parcel, kind: Parcel}
  versions: [{name: v1, served: true, storage: true, subresources: {status: {}}, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: tickets.restore.example.com}
spec:
  group: restore.example.com
  scope: Namespaced
  names: {plural: tickets, singular: ticket, kind: Ticket}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
`

// carefulBindings name the namespace from outside.
const carefulBindings = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: careful-<id>}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{kind: ServiceAccount, name: web, namespace: <src>}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: careful-<id>}
webhooks:
- name: v.example.com
  failurePolicy: Ignore
  sideEffects: None
  admissionReviewVersions: [v1]
  timeoutSeconds: 1
  namespaceSelector: {matchLabels: {no: where}}
  rules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}]
  clientConfig: {service: {name: web, namespace: <src>}}
`

// careLab is a backup of the careful objects and what they were.
type careLab struct {
	*lab
	src, dst string
	bindings string // manifest
	before   map[string]map[string]any
}
