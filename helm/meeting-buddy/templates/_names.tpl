{{- /* A version as the value of a label. Build metadata begins with "+", which no label may hold; Flux appends some. */ -}}
{{- define "meeting-buddy.labelValue" -}}
{{ replace "+" "_" . | trunc 63 | regexFind "^.*[^-_.]" }}
{{- end }}

{{- /* Of objects, never of a pod template: another version of the chart alone restarts nothing. */ -}}
{{- define "meeting-buddy.labels" -}}
app.kubernetes.io/name: meeting-buddy
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/version: {{ include "meeting-buddy.labelValue" .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ include "meeting-buddy.labelValue" (printf "%s-%s" .Chart.Name .Chart.Version) | quote }}
{{- end }}

{{- define "meeting-buddy.selector" -}}
app.kubernetes.io/name: meeting-buddy
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: operator
{{- end }}

{{- define "meeting-buddy.apiSelector" -}}
app.kubernetes.io/name: meeting-buddy
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: api
{{- end }}

{{- define "meeting-buddy.readerSelector" -}}
app.kubernetes.io/name: meeting-buddy
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: reader
{{- end }}

{{- /* "true" where recordings have readers, or nothing. */ -}}
{{- define "meeting-buddy.readerEnabled" -}}
{{- if ternary .Values.api.enabled .Values.reader.enabled (kindIs "invalid" .Values.reader.enabled) }}true{{ end -}}
{{- end }}

{{- /* "https", or "http" where TLS ends in front of the HTTP API. */ -}}
{{- define "meeting-buddy.apiScheme" -}}
{{ ternary "http" "https" (kindIs "string" .Values.api.tls) }}
{{- end }}

{{- /* Name of a Role of an installation for some namespaces, or of a ClusterRole, for people. Call with (list . name). */ -}}
{{- define "meeting-buddy.roleFlag" -}}
{{- $root := index . 0 -}}
{{- if $root.Values.watchNamespaces -}}
--role=meeting-buddy-{{ index . 1 }}
{{- else -}}
--clusterrole={{ include "meeting-buddy.clusterName" $root | trim }}:{{ index . 1 }}
{{- end -}}
{{- end }}

{{- /* Changes whenever what the operator and the HTTP API read once, at their start, does. */ -}}
{{- define "meeting-buddy.installationHash" -}}
{{ printf "%s%s" (include "meeting-buddy.installation" .) (toJson .Values.platformTables) | sha256sum | trunc 16 | quote }}
{{- end }}

{{- /* Sources of the projected volume /etc/meeting-buddy. */ -}}
{{- define "meeting-buddy.installationSources" -}}
- configMap: {name: {{ .Release.Name }}-installation}
{{- if .Values.platformTables }}
- configMap:
    name: {{ .Release.Name }}-platform-tables
    items:
      {{- range $platform, $_ := .Values.platformTables }}
      - {key: {{ $platform }}.yaml, path: platforms/{{ $platform }}.yaml}
      {{- end }}
{{- end }}
{{- end }}

{{- /* Cluster-scoped names carry the release's namespace, so that two installations do not collide. A
separator is a character that no namespace has. */ -}}
{{- define "meeting-buddy.clusterName" -}}
{{ printf "meeting-buddy:%s:%s" .Release.Namespace .Release.Name }}
{{- end }}

{{- /* A namespace's name as text: one of digits is a number to YAML and to --set, of two kinds. */ -}}
{{- define "meeting-buddy.namespace" -}}
{{- if kindIs "float64" . }}{{ printf "%.0f" . }}{{ else }}{{ . }}{{ end -}}
{{- end }}

{{- /* Namespaces that are watched, as a JSON list of texts. */ -}}
{{- define "meeting-buddy.watched" -}}
{{- $names := list -}}
{{- range .Values.watchNamespaces }}{{ $names = append $names (include "meeting-buddy.namespace" .) }}{{ end -}}
{{- toJson (uniq $names) -}}
{{- end }}

{{- /* Namespaces that get a claim, and a reader beside it, as a JSON list of texts. */ -}}
{{- define "meeting-buddy.recorded" -}}
{{- $names := list -}}
{{- range (.Values.storage.namespaces | default .Values.watchNamespaces) -}}
{{- $names = append $names (include "meeting-buddy.namespace" .) -}}
{{- end -}}
{{- toJson (uniq $names) -}}
{{- end }}

{{- /* Labels or annotations of a pod: the chart's own, which win, and those that are added. Call with (list own added). */ -}}
{{- define "meeting-buddy.with" -}}
{{- toYaml (merge (index . 0 | fromYaml) (index . 1 | default dict)) -}}
{{- end }}

{{- /* Call with (list image appVersion). No tag may hold "+": as usual with registries, it is "_" there. */ -}}
{{- define "meeting-buddy.image" -}}
{{- $image := index . 0 -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ $image.tag | default (index . 1 | replace "+" "_") }}
{{- end -}}
{{- end }}

{{- /* Nodes of a pod: all images are Linux's. What was chosen wins. Call with the chosen labels. */ -}}
{{- define "meeting-buddy.nodeSelector" -}}
{{- toYaml (merge (dict) (. | default dict) (dict "kubernetes.io/os" "linux")) -}}
{{- end }}

{{- /* As JSON, which YAML readers take for YAML: Helm's own YAML leaves texts without quotes that mean something else to
another reader. */ -}}
{{- define "meeting-buddy.installation" -}}
{{- $image := include "meeting-buddy.image" (list .Values.bot.image .Chart.AppVersion) -}}
{{- $classes := dict -}}
{{- range $name, $class := .Values.botClasses -}}
{{- $_ := set $classes $name (merge (dict) ($class | default dict) (dict "image" $image)) -}}
{{- end -}}
{{- $recorded := include "meeting-buddy.recorded" . | fromJsonArray -}}
{{- $readers := include "meeting-buddy.readerEnabled" . | eq "true" -}}
{{- $recordings := dict "namespaces" (ternary $recorded list $readers) -}}
{{- /* `claims` only where it says more: an older operator does not know it. */ -}}
{{- if and $recorded (not $readers) }}{{ $_ := set $recordings "claims" $recorded }}{{ end -}}
{{ toPrettyJson (dict "botClasses" $classes "selfHosted" .Values.selfHosted "recordings" $recordings) }}
{{- end }}

{{- define "meeting-buddy.claim" -}}
{{ dig "default" "storage" "claim" "meeting-buddy-recordings" .Values.botClasses }}
{{- end }}
