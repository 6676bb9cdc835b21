{{/*
The components of this release, in flow order, as YAML: name -> {kind, args, records, port, static}.
Which stage is which kind of workload derives from flow.py (files/flow.yaml, decision 0032).
*/}}
{{- define "spillway.components" -}}
{{- $flow := .Files.Get "files/flow.yaml" | fromYaml -}}
{{- $values := .Values.components -}}
{{- $root := . -}}
{{- if eq .Values.layout "together" }}
{{- if $values.pipeline.enabled }}
pipeline: {kind: StatefulSet, args: [run], records: true, static: true, order: 0}
{{- end }}
{{- else }}
{{- range $index, $stage := $flow.stages }}
{{- if (index $values $stage.name).enabled }}
{{ $stage.name }}: {kind: {{ $stage.workload }}, args: [run, {{ $stage.name }}], records: {{ eq $stage.name "record" }}, static: {{ or (eq $stage.workload "StatefulSet") (ne (toString $root.Values.settings.SPILLWAY_ON_STOP) "wait") }}, order: {{ $index }}}
{{- end }}
{{- end }}
{{- end }}
{{- if $values.gateway.enabled }}
gateway: {kind: Deployment, args: [gateway, "--listen=0.0.0.0:8080"], records: false, static: false, port: 8080, order: 90}
{{- end }}
{{- if $values.console.enabled }}
console: {kind: Deployment, args: [console, "--listen=0.0.0.0:8090"], records: true, static: false, port: 8090, order: 91}
{{- end }}
{{- end -}}

{{/* Whether there is a configuration directory to mount. */}}
{{- define "spillway.hasConfig" -}}
{{- if or .Values.config.files .Values.config.existingConfigMaps .Values.config.volume -}}true{{- end -}}
{{- end -}}

{{- define "spillway.configDirectory" -}}
/etc/spillway/config{{ with .Values.config.subdirectory }}/{{ . }}{{ end }}
{{- end -}}

{{/* A path of the configuration as a key of a ConfigMap, which may hold no slash. */}}
{{- define "spillway.configKey" -}}
{{- . | replace "/" "__" -}}
{{- end -}}

{{/* The volume of a configuration. Takes (dict "config" VALUES "volume" NAME "map" NAME-OF-CONFIGMAP). */}}
{{- define "spillway.configVolume" -}}
- name: {{ .volume }}
{{- if .config.volume }}
  {{- toYaml .config.volume | nindent 2 }}
{{- else }}
  projected:
    defaultMode: 0444
    sources:
      {{- if .config.files }}
      - configMap:
          name: {{ .map }}
          items:
            {{- range $path, $text := .config.files }}
            - {key: {{ include "spillway.configKey" $path | quote }}, path: {{ $path | quote }}}
            {{- end }}
      {{- end }}
      {{- range .config.existingConfigMaps }}
      - configMap:
          {{- toYaml . | nindent 10 }}
      {{- end }}
{{- end }}
{{- end -}}

{{/* The data of a ConfigMap made of config.files. */}}
{{- define "spillway.configData" -}}
{{- if gt (len (toJson .)) 1000000 -}}
{{- fail "config.files: more than a ConfigMap holds (1 MiB); put large catalogues in config.existingConfigMaps or config.volume" -}}
{{- end -}}
{{- range $path, $text := . }}
{{- include "spillway.configKey" $path | quote }}: {{ $text | toJson }}
{{ end }}
{{- end -}}

{{/* Stage=number of the stages with state that a component hosts, or nothing. Takes (dict "root" $ "name" COMPONENT). */}}
{{- define "spillway.stateSchemas" -}}
{{- $name := .name -}}
{{- $found := list -}}
{{- range $stage := (.root.Files.Get "files/flow.yaml" | fromYaml).stages -}}
{{- if and $stage.state_schema (has $name (list $stage.name "pipeline")) -}}
{{- $found = append $found (printf "%s=%d" $stage.name (int $stage.state_schema)) -}}
{{- end -}}
{{- end -}}
{{- join "," $found -}}
{{- end -}}
