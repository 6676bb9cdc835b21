{{/* The environment of a container. Takes (dict "root" $ "name" COMPONENT "static" BOOL "records" BOOL). */}}
{{- define "spillway.env" -}}
{{- $values := .root.Values -}}
{{- $known := (.root.Files.Get "files/settings.yaml" | fromYaml).variables -}}
- name: SPILLWAY_BOOTSTRAP
  value: {{ $values.kafka.bootstrap | quote }}
- name: SPILLWAY_APP_ID
  value: {{ $values.kafka.appId | quote }}
{{- with $values.kafka.topicPrefix }}
- name: SPILLWAY_TOPIC_PREFIX
  value: {{ . | quote }}
{{- end }}
- name: SPILLWAY_PARTITIONS
  value: {{ $values.kafka.partitions | int | quote }}
- name: SPILLWAY_REPLICATION_FACTOR
  value: {{ $values.kafka.replicationFactor | int | quote }}
- name: SPILLWAY_MIN_INSYNC_REPLICAS
  value: {{ $values.kafka.minInsyncReplicas | int | quote }}
- name: SPILLWAY_PRODUCTION
  value: {{ $values.kafka.production | quote }}
{{- include "spillway.kafkaEnv" . }}
{{- if include "spillway.hasConfig" .root }}
- name: SPILLWAY_CONFIG
  value: {{ include "spillway.configDirectory" .root }}
{{- end }}
{{- if .records }}
- name: SPILLWAY_RECORDS_URL
  valueFrom:
    secretKeyRef:
      name: {{ required (printf "records.existingSecret: %s needs the address of a PostgreSQL; disable it to go without" .name) $values.records.existingSecret | quote }}
      key: {{ $values.records.urlKey }}
{{- end }}
{{- if .static }}
# A name that survives a crash of the container, so that its partitions are its own at once when it is back. One that is
# asked to stop gives them away.
- name: SPILLWAY_INSTANCE_ID
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
{{- end }}
- name: SPILLWAY_HTTP_PORT
  value: "9464"
- name: SPILLWAY_SESSION_TIMEOUT_SECONDS
  value: {{ $values.sessionTimeoutSeconds | quote }}
- name: SPILLWAY_STOP_SECONDS
  value: {{ $values.stopSeconds | quote }}
- name: SPILLWAY_LOG_LEVEL
  value: {{ $values.logLevel }}
- name: SPILLWAY_LOG_FORMAT
  value: {{ $values.logFormat }}
{{- with $values.tracing.url }}
- name: SPILLWAY_TRACE_URL
  value: {{ . | quote }}
- name: SPILLWAY_TRACE_RATIO
  value: {{ $values.tracing.ratio | toJson | quote }}
{{- end }}
{{- if .root.Values.shadow.enabled }}
{{- if has .name (list "topics" "shadow") }}
- name: SPILLWAY_SHADOW_CONFIG
  value: /var/lib/spillway/shadow
{{- end }}
{{- end }}
{{- $own := include "spillway.ownVariables" .root | fromYaml }}
{{- range $variable, $value := $values.settings }}
{{- if not (hasKey $known $variable) }}
{{- fail (printf "settings: this release knows no variable %s; see docs/operations.md" $variable) }}
{{- end }}
{{- if has $variable (list "SPILLWAY_KAFKA_PASSWORD" "SPILLWAY_RECORDS_URL") }}
{{- fail (printf "settings: %s is a secret, and would stand in the manifest for everybody to read; name an existing Secret in kafka.sasl or records" $variable) }}
{{- end }}
{{- if hasKey $own $variable }}
{{- fail (printf "settings: %s is what %s says; set it there" $variable (get $own $variable)) }}
{{- end }}
- name: {{ $variable }}
  value: {{ kindIs "float64" $value | ternary ($value | toJson) ($value | toString) | quote }}
{{- end }}
{{- end -}}

{{/* Variables that the chart sets, and the values that they come from: settings may not set them again. */}}
{{- define "spillway.ownVariables" -}}
SPILLWAY_BOOTSTRAP: kafka.bootstrap
SPILLWAY_APP_ID: kafka.appId
SPILLWAY_TOPIC_PREFIX: kafka.topicPrefix
SPILLWAY_PARTITIONS: kafka.partitions
SPILLWAY_REPLICATION_FACTOR: kafka.replicationFactor
SPILLWAY_MIN_INSYNC_REPLICAS: kafka.minInsyncReplicas
SPILLWAY_PRODUCTION: kafka.production
SPILLWAY_KAFKA_SECURITY: kafka.security
SPILLWAY_KAFKA_CA_FILE: kafka.ca
SPILLWAY_KAFKA_CERTIFICATE_FILE: kafka.clientCertificate
SPILLWAY_KAFKA_KEY_FILE: kafka.clientCertificate
SPILLWAY_KAFKA_SASL_MECHANISM: kafka.sasl.mechanism
SPILLWAY_KAFKA_AWS_REGION: kafka.sasl.awsRegion
SPILLWAY_KAFKA_USERNAME: kafka.sasl.username
SPILLWAY_KAFKA_PASSWORD_FILE: kafka.sasl.existingSecret
SPILLWAY_CONFIG: config
SPILLWAY_INSTANCE_ID: the pod's name
SPILLWAY_HTTP_PORT: the chart
SPILLWAY_STAGES: layout
SPILLWAY_SHADOW_CONFIG: shadow
SPILLWAY_SESSION_TIMEOUT_SECONDS: sessionTimeoutSeconds
SPILLWAY_STOP_SECONDS: stopSeconds
SPILLWAY_LOG_LEVEL: logLevel
SPILLWAY_LOG_FORMAT: logFormat
SPILLWAY_TRACE_URL: tracing.url
SPILLWAY_TRACE_RATIO: tracing.ratio
{{- end -}}

{{- define "spillway.probe" -}}
httpGet: {path: {{ .path }}, port: metrics}
{{ toYaml .timing }}
{{- end -}}

{{/*
The pod of a component: metadata and spec. Takes (dict "root" $ "name" COMPONENT "component" {args, records, static,
port} "checksum" TEXT).
*/}}
{{- define "spillway.podTemplate" -}}
{{- $root := .root -}}
{{- $values := $root.Values -}}
{{- $own := index $values.components .name -}}
{{- $component := .component -}}
{{- $scope := dict "root" $root "name" .name "records" $component.records "static" $component.static -}}
metadata:
  labels:
    {{- include "spillway.podLabels" $scope | nindent 4 }}
    {{- with merge (dict) ($own.podLabels | default dict) $values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- $annotations := merge (dict) ($own.podAnnotations | default dict) $values.podAnnotations }}
  {{- if and $component.port (include "spillway.hasConfig" $root) }}
  {{- /* Stages take a changed configuration while they run; what listens reads it at its start alone. */}}
  {{- $_ := set $annotations "checksum/config" (toJson $values.config | sha256sum) }}
  {{- end }}
  {{- with $annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- include "spillway.podHead" $scope | nindent 2 }}
  terminationGracePeriodSeconds: {{ add (ceil $values.stopSeconds) (ternary 15 10 (hasKey $component "port")) }}
  {{- with default $values.priorityClassName $own.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with default $values.nodeSelector $own.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with default $values.tolerations $own.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $own.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: topology.kubernetes.io/zone
      whenUnsatisfiable: {{ $values.topologySpread.zone }}
      labelSelector:
        matchLabels:
          {{- include "spillway.selector" $scope | nindent 10 }}
      {{- if eq $component.kind "Deployment" }}
      {{- /* Old pods go as they come: counted among the new ones, they would leave these crooked. */}}
      matchLabelKeys: [pod-template-hash]
      {{- end }}
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: {{ $values.topologySpread.host }}
      labelSelector:
        matchLabels:
          {{- include "spillway.selector" $scope | nindent 10 }}
      {{- if eq $component.kind "Deployment" }}
      {{- /* Old pods go as they come: counted among the new ones, they would leave these crooked. */}}
      matchLabelKeys: [pod-template-hash]
      {{- end }}
  containers:
    - name: {{ .name }}
      {{- include "spillway.containerHead" $scope | nindent 6 }}
      command: [spillway]
      args: {{ $component.args | toJson }}
      env:
        {{- include "spillway.env" $scope | nindent 8 }}
        {{- with $own.env }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- with concat $values.envFrom ($own.envFrom | default list) }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        - {name: metrics, containerPort: 9464, protocol: TCP}
        {{- with $component.port }}
        - {name: http, containerPort: {{ . }}, protocol: TCP}
        {{- end }}
      startupProbe:
        {{- include "spillway.probe" (dict "path" "/healthz" "timing" $values.probes.startup) | nindent 8 }}
      livenessProbe:
        {{- include "spillway.probe" (dict "path" "/healthz" "timing" $values.probes.liveness) | nindent 8 }}
      readinessProbe:
        {{- include "spillway.probe" (dict "path" "/readyz" "timing" $values.probes.readiness) | nindent 8 }}
      {{- if $component.port }}
      lifecycle:
        preStop:
          exec:
            # Services hear of the end a moment later than the pod: new requests must still be taken until they do.
            command: [sleep, "5"]
      {{- end }}
      resources:
        {{- toYaml $own.resources | nindent 8 }}
      volumeMounts:
        {{- include "spillway.mounts" $scope | nindent 8 }}
        {{- with $own.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    {{- include "spillway.volumes" $scope | nindent 4 }}
    {{- with $own.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}

{{/* What every pod of the release has. */}}
{{- define "spillway.podHead" -}}
serviceAccountName: {{ default (include "spillway.serviceAccountName" .root) .account }}
# Nothing here talks to the cluster.
automountServiceAccountToken: false
# Services as variables may collide with ours, and nobody reads them.
enableServiceLinks: false
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  {{- toYaml .root.Values.podSecurityContext | nindent 2 }}
{{- end -}}

{{- define "spillway.containerHead" -}}
image: {{ include "spillway.image" .root }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  {{- toYaml .root.Values.containerSecurityContext | nindent 2 }}
{{- end -}}

{{- define "spillway.mounts" -}}
- {name: tmp, mountPath: /tmp}
{{- if include "spillway.hasConfig" .root }}
- {name: config, mountPath: /etc/spillway/config, readOnly: true}
{{- end }}
{{- include "spillway.kafkaMounts" . }}
{{- if and .records .root.Values.records.tlsExistingSecret }}
- {name: records-tls, mountPath: /etc/spillway/records-tls, readOnly: true}
{{- end }}
{{- end -}}

{{- define "spillway.volumes" -}}
- name: tmp
  emptyDir: {sizeLimit: {{ .root.Values.tmpSizeLimit }}}
{{- if include "spillway.hasConfig" .root }}
{{ include "spillway.configVolume" (dict "config" .root.Values.config "volume" "config" "map" (printf "%s-%s" (include "spillway.fullname" .root) (ternary "topics" "config" (eq .name "topics")))) }}
{{- end }}
{{- include "spillway.kafkaVolumes" . }}
{{- if .records }}
{{- with .root.Values.records.tlsExistingSecret }}
- name: records-tls
  secret: {secretName: {{ . | quote }}, defaultMode: 0440}
{{- end }}
{{- end }}
{{- end -}}
