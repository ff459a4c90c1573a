{{- define "lifeboat.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "lifeboat.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains (include "lifeboat.name" .) .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "lifeboat.name" .) | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "lifeboat.selectorLabels" -}}
app.kubernetes.io/name: {{ include "lifeboat.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "lifeboat.labels" -}}
{{ include "lifeboat.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "lifeboat.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "lifeboat.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.name is required where serviceAccount.create is false" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "lifeboat.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* lifeboat.yaml: the configuration of the values, with what only the chart knows. */}}
{{- define "lifeboat.configuration" -}}
{{- if not .Values.configuration.namespace -}}
namespace: {{ .Release.Namespace }}
{{ end -}}
{{- with .Values.configuration.drills -}}
{{- $_ := set . "image" (default (include "lifeboat.image" $) .image) -}}
{{- end -}}
{{- /* The webhook that gives a pod its role may have been away: the worker then is the node. */ -}}
{{- $aws := .Values.configuration.aws | default dict -}}
{{- $annotated := index (.Values.serviceAccount.annotations | default dict) "eks.amazonaws.com/role-arn" -}}
{{- if and .Values.serviceAccount.roleArn $annotated -}}
{{- fail "serviceAccount.roleArn and the annotation eks.amazonaws.com/role-arn below serviceAccount.annotations say the same thing: leave one out" -}}
{{- end -}}
{{- $role := .Values.serviceAccount.roleArn | default $annotated -}}
{{- if and $role (not $aws.expectedRoleArn) -}}
{{- $_ := set $aws "expectedRoleArn" $role -}}
{{- $_ := set .Values.configuration "aws" $aws -}}
{{- end -}}
{{- toYaml .Values.configuration -}}
{{- end -}}

{{/* Ports of the worker's endpoints; 0 is off. */}}
{{- define "lifeboat.metricsPort" -}}
{{- $listen := (.Values.configuration.metrics | default dict).listen | default ":8085" -}}
{{- if ne $listen "off" -}}{{- $listen | splitList ":" | last -}}{{- end -}}
{{- end -}}
{{- define "lifeboat.healthPort" -}}
{{- $listen := (.Values.configuration.health | default dict).listen | default ":8086" -}}
{{- if ne $listen "off" -}}{{- $listen | splitList ":" | last -}}{{- end -}}
{{- end -}}

{{/* Whether the pods show tls.crt of the Secret for TLS, of the values below temporal: as these say, and
else where no key does it. "" is no. */}}
{{- define "lifeboat.temporalCertificate" -}}
{{- $said := printf "%v" .tls.certificate -}}
{{- if and .tls.secretName (ne $said "false") (or (eq $said "true") (not .apiKey.secretName)) -}}yes{{- end -}}
{{- end -}}

{{/* The connection to Temporal, by the variables that all its programs share. */}}
{{- define "lifeboat.temporalEnv" -}}
{{- with .Values.temporal -}}
- {name: TEMPORAL_ADDRESS, value: {{ required "temporal.address is required: host:port of Temporal's frontend" .address | quote }}}
- {name: TEMPORAL_NAMESPACE, value: {{ .namespace | quote }}}
{{- if .tls.enabled }}
- {name: TEMPORAL_TLS, value: "true"}
{{- with .tls.serverName }}
- {name: TEMPORAL_TLS_SERVER_NAME, value: {{ . | quote }}}
{{- end }}
{{- $certificate := include "lifeboat.temporalCertificate" . }}
{{- if .tls.secretName }}
{{- if not (or $certificate .tls.ca) }}
{{- fail "temporal.tls.secretName: nothing of the Secret is used: set temporal.tls.ca for ca.crt, or temporal.tls.certificate for tls.crt and tls.key" }}
{{- end }}
{{- if $certificate }}
- {name: TEMPORAL_TLS_CLIENT_CERT_PATH, value: /run/secrets/temporal/tls.crt}
- {name: TEMPORAL_TLS_CLIENT_KEY_PATH, value: /run/secrets/temporal/tls.key}
{{- end }}
{{- if .tls.ca }}
- {name: TEMPORAL_TLS_SERVER_CA_CERT_PATH, value: /run/secrets/temporal/ca.crt}
{{- end }}
{{- else if or .tls.ca .tls.certificate }}
{{- fail "temporal.tls.ca and temporal.tls.certificate need temporal.tls.secretName: the Secret with ca.crt, or with tls.crt and tls.key" }}
{{- end }}
{{- else if or .tls.secretName .apiKey.secretName }}
{{- fail "temporal.tls.secretName and temporal.apiKey.secretName need temporal.tls.enabled: neither certificates nor keys go over an open connection" }}
{{- else if or .tls.ca .tls.serverName .tls.certificate }}
{{- fail "temporal.tls.ca and temporal.tls.serverName need temporal.tls.enabled: without it the connection is open" }}
{{- end }}
{{- with .apiKey }}
{{- if .secretName }}
- name: TEMPORAL_API_KEY
  valueFrom: {secretKeyRef: {name: {{ .secretName }}, key: {{ .key }}}}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "lifeboat.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "lifeboat.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- define "lifeboat.temporalVolume" -}}
{{- with .Values.temporal.tls.secretName }}
- name: temporal
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- end -}}

{{- /* The port of a URL. */ -}}
{{- define "lifeboat.urlPort" -}}
{{- $host := index (. | splitList "://" | last | splitList "/") 0 -}}
{{- $port := $host | splitList ":" | last -}}
{{- if and (contains ":" $host) (eq $port (trimSuffix "]" $port)) -}}{{- $port -}}
{{- else if contains "https://" . -}}443{{- else -}}80{{- end -}}
{{- end -}}

{{- /* The ports that the worker dials, one after another: those of the values, and of what the
configuration names by address. */ -}}
{{- define "lifeboat.egressPorts" -}}
{{- .Values.temporal.address | splitList ":" | last -}}
{{- range .Values.networkPolicy.ports }} {{ . }}{{- end -}}
{{- range .Values.configuration.backupStorageLocations -}}
{{- with (.spec.config | default dict).s3Url }} {{ include "lifeboat.urlPort" . }}{{- end -}}
{{- end -}}
{{- with (.Values.configuration.telemetry | default dict).endpoint }} {{ include "lifeboat.urlPort" . }}{{- end -}}
{{- end -}}

{{- /* Whether the probe is made: a backup that names no location has to have one that takes it. */ -}}
{{- define "lifeboat.probed" -}}
{{- $all := .Values.configuration.backupStorageLocations -}}
{{- if .Values.probe.enabled -}}
{{- range $all -}}
{{- if and (or .spec.default (eq (len $all) 1)) (ne (printf "%v" .spec.accessMode) "ReadOnly") -}}yes{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
