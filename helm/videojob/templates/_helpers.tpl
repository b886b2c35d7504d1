{{- /* The name of everything: the release's, with the chart's in it; at most 52 characters, for suffixes. */ -}}
{{- define "videojob.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "videojob.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "videojob.fullname" .) -}}
{{- end -}}

{{- define "videojob.selector" -}}
app.kubernetes.io/name: videojob
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "videojob.labels" -}}
{{ include "videojob.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- /* The operator's image: the digest wins over the tag. */ -}}
{{- define "videojob.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{- /* What the operator may do where VideoJobs live; docs/rbac.md says why. */ -}}
{{- define "videojob.rules" -}}
- apiGroups: [videojobs.dev]
  resources: [videojobs]
  verbs: [get, list, watch]
- apiGroups: [videojobs.dev]
  resources: [videojobs/status]
  verbs: [patch]
- apiGroups: [videojobs.dev]
  resources: [videojobs/finalizers]
  verbs: [update]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, list, watch]
{{- end -}}
