{{- /* What values.schema.json cannot say, because it compares two fields. The operator's model checks the same. */ -}}

{{- /* A quantity as a number, nearly: enough to compare. Its form was checked by the schema. */ -}}
{{- define "meeting-buddy.amount" -}}
{{- $text := . | toString | trimPrefix "+" -}}
{{- $factors := dict "n" 1e-9 "u" 1e-6 "m" 1e-3 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "E" 1e18 -}}
{{- $factors = merge $factors (dict "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776) -}}
{{- $factors = merge $factors (dict "Pi" 1125899906842624 "Ei" 1152921504606846976) -}}
{{- $suffix := regexFind "([KMGTPE]i|[numkMGTPE])$" $text -}}
{{- if $suffix -}}
{{- mulf (trimSuffix $suffix $text | float64) (get $factors $suffix) -}}
{{- else -}}
{{- $text | float64 -}}
{{- end -}}
{{- end }}

{{- define "meeting-buddy.checkBotClasses" -}}
{{- $defaults := .Files.Get "files/resources.json" | fromJson -}}
{{- range $name, $class := .Values.botClasses -}}
{{- range $profile, $set := ($class | default dict).resources -}}
{{- $resources := merge (dict) $set (get $defaults $profile) -}}
{{- range $request, $limit := dict "cpu" "cpuLimit" "memory" "memoryLimit" "ephemeralStorage" "ephemeralStorageLimit" -}}
{{- $asked := get $resources $request -}}
{{- $allowed := get $resources $limit -}}
{{- if and $asked $allowed (gt (include "meeting-buddy.amount" $asked | float64) (include "meeting-buddy.amount" $allowed | float64)) -}}
{{- fail (printf "botClasses.%s.resources.%s: %s (%v) is more than %s (%v)" $name $profile $request $asked $limit $allowed) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $kept := ($class | default dict).ttlSecondsAfterFinished | default dict -}}
{{- if and (not (kindIs "invalid" $kept.default)) (not (kindIs "invalid" $kept.max)) (gt (int64 $kept.default) (int64 $kept.max)) -}}
{{- fail (printf "botClasses.%s.ttlSecondsAfterFinished: default (%d) is more than max (%d)" $name (int64 $kept.default) (int64 $kept.max)) -}}
{{- end -}}
{{- $seen := deepCopy (($class | default dict).env | default dict) -}}
{{- range ($class | default dict).secretEnv -}}
{{- if hasKey $seen .name -}}
{{- fail (printf "botClasses.%s: env and secretEnv set %s more than once" $name .name) -}}
{{- end -}}
{{- $_ := set $seen .name true -}}
{{- end -}}
{{- $size := 0 -}}
{{- range $key, $value := ($class | default dict).annotations -}}
{{- $size = add $size (len $key) (len $value) -}}
{{- end -}}
{{- if gt (int $size) 204800 -}}
{{- fail (printf "botClasses.%s.annotations are %d bytes, more than 204800" $name $size) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- /* Images of no registry would be pulled from nowhere, by the uninstall's Job as well. */ -}}
{{- define "meeting-buddy.checkImages" -}}
{{- $missing := dict -}}
{{- if not .Values.operator.image.repository }}{{ $_ := set $missing "operator" "" }}{{ end -}}
{{- range .Values.botClasses -}}
{{- if not (or $.Values.bot.image.repository (. | default dict).image) }}{{ $_ := set $missing "bot" "" }}{{ end -}}
{{- end -}}
{{- range $name := keys $missing | sortAlpha -}}
{{- fail (printf "%s.image.repository is not set: name the repository to which you pushed the %s's image, such as registry.example.org/team/meeting-buddy/%s (make images REGISTRY=registry.example.org/team PUSH=1)" $name $name $name) -}}
{{- end -}}
{{- end }}

{{- define "meeting-buddy.checkResources" -}}
{{- range $section := list "operator" "api" "reader" -}}
{{- $resources := get (get $.Values $section) "resources" -}}
{{- range $name, $asked := $resources.requests -}}
{{- $allowed := get ($resources.limits | default dict) $name -}}
{{- if and $allowed (gt (include "meeting-buddy.amount" $asked | float64) (include "meeting-buddy.amount" $allowed | float64)) -}}
{{- fail (printf "%s.resources: requests.%s (%v) is more than limits.%s (%v)" $section $name $asked $name $allowed) -}}
{{- end -}}
{{- if and (not (has $name (list "cpu" "memory" "ephemeral-storage"))) (ne (include "meeting-buddy.amount" $asked) (include "meeting-buddy.amount" ($allowed | default 0))) -}}
{{- fail (printf "%s.resources: requests.%s (%v) is not limits.%s (%v), as Kubernetes demands of what cannot be shared" $section $name $asked $name ($allowed | default "not set")) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- /* Its namespace allows everything to pods, so it is nobody else's. */ -}}
{{- define "meeting-buddy.checkSeccompInstaller" -}}
{{- $own := include "meeting-buddy.namespace" .Values.seccompInstaller.namespace -}}
{{- $whose := "" -}}
{{- if or (eq $own "default") (hasPrefix "kube-" $own) }}{{ $whose = "one of Kubernetes' own" }}{{ end -}}
{{- if has $own (include "meeting-buddy.recorded" . | fromJsonArray) }}{{ $whose = "in storage.namespaces" }}{{ end -}}
{{- if has $own (include "meeting-buddy.watched" . | fromJsonArray) }}{{ $whose = "in watchNamespaces" }}{{ end -}}
{{- if eq $own .Release.Namespace }}{{ $whose = "the release's own" }}{{ end -}}
{{- if $whose -}}
{{- fail (printf "seccompInstaller.namespace: %s is %s, and would allow privileged pods. Name one that is used for nothing else" $own $whose) -}}
{{- end -}}
{{- end }}

{{- /* The HTTP API: callers send their tokens, so nothing is rendered that would carry them in the clear unasked. */ -}}
{{- define "meeting-buddy.checkApi" -}}
{{- $api := .Values.api -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" .Release.Name) -}}
{{- fail (printf "api.enabled: a Service cannot be named after release %s. Install with a name of lower-case letters, digits and hyphens that begins with a letter" .Release.Name) -}}
{{- end -}}
{{- if not $api.tls -}}
{{- fail (printf "api.enabled needs TLS, because callers send their tokens. Either make a Secret in namespace %s (kubectl create secret tls, or a certificate of cert-manager) and set api.tls.secretName to its name; or, where an Ingress, a gateway or a mesh in front of the API ends TLS, say so by api.tls=ingress" .Release.Namespace) -}}
{{- end -}}
{{- if and (kindIs "string" $api.tls) (eq $api.service.type "LoadBalancer") (not $api.service.annotations) -}}
{{- fail "api.service.type=LoadBalancer with api.tls=ingress carries callers' tokens in the clear unless the load balancer ends TLS or is internal. Either say that by its annotations in api.service.annotations, or set api.tls.secretName, or leave api.service.type at ClusterIP, with what ends TLS in front of it" -}}
{{- end -}}
{{- if and $api.ingress.enabled (not $api.ingress.host) -}}
{{- fail "api.ingress.enabled needs a name to answer to: set api.ingress.host" -}}
{{- end -}}
{{- if and $api.autoscaling.enabled (gt (int $api.autoscaling.minReplicas) (int $api.autoscaling.maxReplicas)) -}}
{{- fail (printf "api.autoscaling: minReplicas (%v) is more than maxReplicas (%v)" $api.autoscaling.minReplicas $api.autoscaling.maxReplicas) -}}
{{- end -}}
{{- if and $api.autoscaling.enabled (not (or ($api.resources.requests | default dict).cpu ($api.resources.limits | default dict).cpu)) -}}
{{- fail "api.autoscaling.enabled compares processor use with what is requested: set api.resources.requests.cpu" -}}
{{- end -}}
{{- $default := include "meeting-buddy.namespace" $api.defaultNamespace -}}
{{- $watched := include "meeting-buddy.watched" . | fromJsonArray -}}
{{- if and $default $watched (not (has $default $watched)) -}}
{{- fail (printf "api.defaultNamespace: %s is not in watchNamespaces, so nobody would serve its sessions" $default) -}}
{{- end -}}
{{- end }}

{{- /* Readers of recordings: what would leave one without its key, or the bots without their volume. */ -}}
{{- define "meeting-buddy.checkReader" -}}
{{- $watched := include "meeting-buddy.watched" . | fromJsonArray -}}
{{- range include "meeting-buddy.recorded" . | fromJsonArray -}}
{{- if and $watched (not (has . $watched)) -}}
{{- fail (printf "storage.namespaces: %s is not in watchNamespaces, so the operator could not give the recordings' reader there its key. Add it there, take it out here, or set reader.enabled=false" .) -}}
{{- end -}}
{{- end -}}
{{- if has "ReadWriteOncePod" .Values.storage.accessModes -}}
{{- fail "storage.accessModes: ReadWriteOncePod gives the volume to one pod, so the recordings' reader would keep it from the bots. Choose another mode, or set reader.enabled=false" -}}
{{- end -}}
{{- end }}
