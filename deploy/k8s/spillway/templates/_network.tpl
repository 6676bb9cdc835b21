{{/* Rules of network policies. */}}

{{- define "spillway.rule" -}}
- {{ with .to }}to:
    {{- toYaml . | nindent 4 }}
  {{ end }}ports:
    {{- range $port := .ports }}
    {{- range $protocol := $.protocols | default (list "TCP") }}
    - {port: {{ $port }}, protocol: {{ $protocol }}}
    {{- end }}
    {{- end }}
{{- end -}}

{{/* What every component may reach: names, Kafka, and what the values add. */}}
{{- define "spillway.egressCommon" -}}
{{- $policy := .Values.networkPolicy -}}
{{ include "spillway.rule" (dict "to" $policy.dns.to "ports" $policy.dns.ports "protocols" (list "UDP" "TCP")) }}
{{ include "spillway.rule" (dict "to" $policy.kafka.to "ports" $policy.kafka.ports) }}
{{- with $policy.extraEgress }}
{{ toYaml . }}
{{- end }}
{{- end -}}
