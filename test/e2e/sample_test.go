//go:build stack

package e2e

// application is a namespace as people have it; <a> is its name.
const application = `
apiVersion: v1
kind: Namespace
metadata: {name: <a>, labels: {team: books}, annotations: {note: keep}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: web, namespace: <a>}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: <a>}
data: {mode: production, text: "line\nline", empty: ""}
binaryData: {raw: AAECAw==}
---
apiVersion: v1
kind: Secret
metadata: {name: db, namespace: <a>}
type: Opaque
immutable: true
stringData: {password: correct horse}
---
apiVersion: v1
kind: Secret
metadata: {name: registry, namespace: <a>}
type: kubernetes.io/dockerconfigjson
stringData: {".dockerconfigjson": '{"auths":{}}'}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: <a>}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      serviceAccountName: web
      priorityClassName: books-<id>
      containers:
      - {name: web, image: "registry.k8s.io/pause:3.10", envFrom: [{secretRef: {name: db}}], resources: {requests: {cpu: 10m}}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: <a>}
spec:
  serviceName: db
  replicas: 2
  podManagementPolicy: Parallel
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      containers: [{name: db, image: "registry.k8s.io/pause:3.10", volumeMounts: [{name: data, mountPath: /data}]}]
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: <a>}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {containers: [{name: agent, image: "registry.k8s.io/pause:3.10"}]}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly, namespace: <a>}
spec:
  schedule: "0 3 1 1 *"
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: "registry.k8s.io/pause:3.10"}]}}}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: waiting, namespace: <a>}
spec:
  suspend: true
  template: {spec: {restartPolicy: Never, containers: [{name: c, image: "registry.k8s.io/pause:3.10"}]}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: <a>}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: <a>}
spec: {clusterIP: None, selector: {app: db}, ports: [{port: 5432}]}
---
apiVersion: v1
kind: Service
metadata: {name: elsewhere, namespace: <a>}
spec: {type: ExternalName, externalName: db.example.com}
---
apiVersion: v1
kind: Service
metadata: {name: outside, namespace: <a>}
spec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 443}]}
---
apiVersion: v1
kind: Service
metadata: {name: legacy, namespace: <a>}
spec: {ports: [{port: 9000}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: legacy-1, namespace: <a>, labels: {kubernetes.io/service-name: legacy}}
addressType: IPv4
endpoints: [{addresses: [10.9.8.7]}]
ports: [{port: 9000, protocol: TCP}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: <a>}
rules: [{apiGroups: [""], resources: [configmaps], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader, namespace: <a>}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: web, namespace: <a>}]
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web, namespace: <a>}
spec: {minAvailable: 1, selector: {matchLabels: {app: web}}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web, namespace: <a>}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  minReplicas: 3
  maxReplicas: 5
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: quiet, namespace: <a>}
spec: {podSelector: {}, policyTypes: [Ingress]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: <a>}
spec:
  ingressClassName: books-<id>
  rules: [{host: books.example.com, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {name: http}}}}]}}]
---
apiVersion: v1
kind: PodTemplate
metadata: {name: spare, namespace: <a>}
template: {spec: {containers: [{name: c, image: "registry.k8s.io/pause:3.10"}]}}
---
apiVersion: example.com/v1
kind: Gadget
metadata: {name: one, namespace: <a>}
spec: {size: 3, free: {form: [1, two, {three: 3.5}]}}
`

// limits would refuse what they admitted before, if they came first.
const limits = `
apiVersion: v1
kind: ResourceQuota
metadata: {name: tight, namespace: <a>}
spec: {hard: {pods: "1", configmaps: "1", secrets: "0", count/deployments.apps: "0", services.loadbalancers: "0"}}
---
apiVersion: v1
kind: LimitRange
metadata: {name: small, namespace: <a>}
spec: {limits: [{type: Container, max: {cpu: 1m}}, {type: PersistentVolumeClaim, max: {storage: 1Mi}}]}
`

// surroundings are the cluster-scoped objects of the application.
const surroundings = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gadgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: gadgets, singular: gadget, kind: Gadget, shortNames: [gd]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
---
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: books-<id>}
value: 1000
description: books
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: books-<id>}
spec: {controller: example.com/books}
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: books-<id>}
provisioner: example.com/books
parameters: {tier: gold}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: books-<id>}
rules: [{apiGroups: [example.com], resources: [gadgets], verbs: ["*"]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: books-<id>}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: books-<id>}
subjects: [{kind: ServiceAccount, name: web, namespace: <a>}, {kind: User, name: alice}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: books-<id>}
webhooks:
- name: no.example.com
  failurePolicy: Fail
  sideEffects: None
  admissionReviewVersions: [v1]
  timeoutSeconds: 1
  namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: <a>}}
  rules: [{apiGroups: ["*"], apiVersions: ["*"], operations: [CREATE, UPDATE], resources: ["*"]}]
  clientConfig: {service: {name: web, namespace: <a>, path: /check}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: books-<id>}
webhooks:
- name: change.example.com
  failurePolicy: Fail
  sideEffects: None
  admissionReviewVersions: [v1]
  timeoutSeconds: 1
  namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: <a>}}
  rules: [{apiGroups: ["*"], apiVersions: ["*"], operations: [CREATE, UPDATE], resources: ["*"]}]
  clientConfig: {service: {name: web, namespace: <a>, path: /change}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: books-<id>}
spec:
  failurePolicy: Fail
  matchConstraints:
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: <a>}}
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}]
  validations: [{expression: "false"}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: books-<id>}
spec: {policyName: books-<id>, validationActions: [Deny]}
`
