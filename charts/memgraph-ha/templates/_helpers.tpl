{{/* The name of everything. 49: the longest Service is "<name>-gateway-read", and a Service's name has 63 at most. */}}
{{- define "memgraph-ha.name" -}}
{{- $name := .Values.fullnameOverride | default .Release.Name -}}
{{- if gt (len $name) 49 -}}
{{- fail (printf "the name %q has %d characters, at most 49 are allowed: choose a shorter release name or set fullnameOverride" $name (len $name)) -}}
{{- end -}}
{{- $name -}}
{{- end -}}

{{/* What tells this release's objects from all others: never changes, so it may be a selector. */}}
{{- define "memgraph-ha.selector" -}}
app.kubernetes.io/name: memgraph-ha
app.kubernetes.io/instance: {{ include "memgraph-ha.name" . }}
{{- end -}}

{{/* Labels of an object. Called with (dict "root" $ "component" "controller"). */}}
{{- define "memgraph-ha.labels" -}}
{{ include "memgraph-ha.selector" .root }}
app.kubernetes.io/component: {{ .component }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Selector of one component's pods. Called with (dict "root" $ "component" "controller"). */}}
{{- define "memgraph-ha.podSelector" -}}
{{ include "memgraph-ha.selector" .root }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* An image's full name. Called with (dict "image" .Values.controller.image "tag" default). */}}
{{- define "memgraph-ha.image" -}}
{{- if .image.digest -}}
{{ .image.repository }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ .image.tag | default .tag }}
{{- end -}}
{{- end -}}

{{- define "memgraph-ha.controllerImage" -}}
{{ include "memgraph-ha.image" (dict "image" .Values.controller.image "tag" .Chart.AppVersion) }}
{{- end -}}

{{- define "memgraph-ha.apiService" -}}
{{ .Values.controller.service.name | default (printf "%s-controller" (include "memgraph-ha.name" .)) }}
{{- end -}}

{{- define "memgraph-ha.gatewayService" -}}
{{ .Values.gateway.service.name | default (printf "%s-gateway" (include "memgraph-ha.name" .)) }}
{{- end -}}

{{- define "memgraph-ha.readService" -}}
{{ .Values.gateway.read.service.name | default (printf "%s-gateway-read" (include "memgraph-ha.name" .)) }}
{{- end -}}

{{- define "memgraph-ha.authSecret" -}}
{{ .Values.auth.existingSecret | default (printf "%s-auth" (include "memgraph-ha.name" .)) }}
{{- end -}}

{{- define "memgraph-ha.apiSecret" -}}
{{ .Values.api.existingSecret | default (printf "%s-api" (include "memgraph-ha.name" .)) }}
{{- end -}}

{{/* The names of the controller's own user and password, as environment variables of the given names.
Called with (dict "root" $ "user" "MEMGRAPH_USER" "password" "MEMGRAPH_PASSWORD"). */}}
{{- define "memgraph-ha.login" -}}
{{- $own := not .root.Values.auth.existingSecret -}}
- name: {{ .user }}
  valueFrom:
    secretKeyRef:
      name: {{ include "memgraph-ha.authSecret" .root }}
      key: {{ ternary "MEMGRAPH_USER" .root.Values.auth.userKey $own }}
- name: {{ .password }}
  valueFrom:
    secretKeyRef:
      name: {{ include "memgraph-ha.authSecret" .root }}
      key: {{ ternary "MEMGRAPH_PASSWORD" .root.Values.auth.passwordKey $own }}
{{- end -}}

{{/* The restricted profile of the Pod Security Standards, for a container. */}}
{{- define "memgraph-ha.containerSecurity" -}}
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
privileged: false
readOnlyRootFilesystem: true
runAsNonRoot: true
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* Affinity and the spread over zones. Called with (dict "root" $ "component" "controller" "values" .Values.controller). */}}
{{- define "memgraph-ha.placement" -}}
{{- $selector := include "memgraph-ha.podSelector" . | fromYaml -}}
{{- $term := dict "topologyKey" .values.topologyKey "labelSelector" (dict "matchLabels" $selector) -}}
{{- if .values.affinity }}
affinity: {{- toYaml .values.affinity | nindent 2 }}
{{- else if eq .values.antiAffinity "soft" }}
affinity:
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm: {{- toYaml $term | nindent 10 }}
{{- else if eq .values.antiAffinity "hard" }}
affinity:
  podAntiAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      - {{- toYaml $term | nindent 8 }}
{{- end }}
{{- with .values.topologySpreadConstraints }}
topologySpreadConstraints:
{{- range . }}
  - {{- toYaml (merge (deepCopy .) (dict "labelSelector" (dict "matchLabels" $selector))) | nindent 4 }}
{{- end }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{/* A value of TOML. JSON's strings, numbers, booleans and arrays of them are TOML's. Text is what the schema allows
here: no control characters, so that JSON's escapes are TOML's. */}}
{{- define "memgraph-ha.toml" -}}
{{ toJson . }}
{{- end -}}
