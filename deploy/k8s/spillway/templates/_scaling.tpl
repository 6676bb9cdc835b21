{{/* Whether something else than the chart decides the number of pods. Takes (dict "root" $ "name" COMPONENT). */}}
{{- define "spillway.scaled" -}}
{{- $keda := .root.Values.keda -}}
{{- $by := index $keda.stages .name | default dict -}}
{{- $auto := index .root.Values.autoscaling .name | default dict -}}
{{- if or (and $keda.enabled $by.enabled) $auto.enabled -}}true{{- end -}}
{{- end -}}

{{/* Name of a component's consumer group. Takes (dict "root" $ "name" STAGE). */}}
{{- define "spillway.group" -}}
{{ .root.Values.kafka.appId }}-{{ .name }}
{{- end -}}

{{/* What KEDA needs of the component's secrets. Takes (dict "root" $ "name" COMPONENT). */}}
{{- define "spillway.kedaSecrets" -}}
{{- $kafka := .root.Values.kafka -}}
{{- $references := list -}}
{{- if and (include "spillway.kafkaTls" .root) $kafka.ca.existingSecret -}}
{{- $references = append $references (dict "parameter" "ca" "name" $kafka.ca.existingSecret "key" $kafka.ca.key) -}}
{{- end -}}
{{- with include "spillway.kafkaCertificate" . -}}
{{- $references = append $references (dict "parameter" "cert" "name" . "key" $kafka.clientCertificate.certificateKey) -}}
{{- $references = append $references (dict "parameter" "key" "name" . "key" $kafka.clientCertificate.privateKeyKey) -}}
{{- end -}}
{{- with include "spillway.kafkaPassword" . -}}
{{- $references = append $references (dict "parameter" "password" "name" . "key" $kafka.sasl.passwordKey) -}}
{{- end -}}
{{- if $references -}}{{- toYaml $references -}}{{- end -}}
{{- end -}}
