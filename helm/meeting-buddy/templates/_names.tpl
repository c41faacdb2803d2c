{{- define "meeting-buddy.labels" -}}
app.kubernetes.io/name: meeting-buddy
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "meeting-buddy.selector" -}}
app.kubernetes.io/name: meeting-buddy
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end }}

{{- /* Cluster-scoped names carry the release's namespace, so that two installations do not collide. */ -}}
{{- define "meeting-buddy.clusterName" -}}
{{ printf "meeting-buddy:%s:%s" .Release.Namespace .Release.Name }}
{{- end }}

{{- /* Call with (list image appVersion). */ -}}
{{- define "meeting-buddy.image" -}}
{{- $image := index . 0 -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ $image.tag | default (index . 1) }}
{{- end -}}
{{- end }}

{{- define "meeting-buddy.installation" -}}
{{- $image := include "meeting-buddy.image" (list .Values.bot.image .Chart.AppVersion) -}}
{{- $classes := dict -}}
{{- range $name, $class := .Values.botClasses -}}
{{- $_ := set $classes $name (merge (dict) ($class | default dict) (dict "image" $image)) -}}
{{- end -}}
{{ toYaml (dict "botClasses" $classes "selfHosted" .Values.selfHosted) }}
{{- end }}

{{- define "meeting-buddy.claim" -}}
{{ dig "default" "storage" "claim" "meeting-buddy-recordings" .Values.botClasses }}
{{- end }}
