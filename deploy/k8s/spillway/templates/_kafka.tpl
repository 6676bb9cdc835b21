{{/*
Who a component is to Kafka: the Secret that holds its password or certificate, and its name.
Its own (components.X.kafkaUser), else that of its KafkaUser, else the one of all.
Takes (dict "root" $ "name" COMPONENT); gives YAML {secret, username}.
*/}}
{{- define "spillway.kafkaUser" -}}
{{- $values := .root.Values -}}
{{- $own := (index $values.components .name | default dict).kafkaUser | default dict -}}
{{- if eq .name "topics" }}{{- $own = $values.topicsJob.kafkaUser -}}{{- end -}}
{{- if eq .name "toolbox" }}{{- $own = $values.toolbox.kafkaUser -}}{{- end -}}
{{- if $own.existingSecret -}}
{secret: {{ $own.existingSecret | quote }}, username: {{ default "" $own.username | quote }}}
{{- else if $values.strimzi.users.enabled -}}
{{- $user := include "spillway.group" (dict "root" .root "name" (ternary "operator" .name (eq .name "toolbox"))) -}}
{secret: {{ $user | quote }}, username: {{ $user | quote }}}
{{- else -}}
{{- $sasl := hasPrefix "sasl" $values.kafka.security -}}
{secret: {{ ternary $values.kafka.sasl.existingSecret $values.kafka.clientCertificate.existingSecret $sasl | quote }}, username: {{ $values.kafka.sasl.username | quote }}}
{{- end -}}
{{- end -}}

{{- define "spillway.kafkaSasl" -}}
{{- if hasPrefix "sasl" .Values.kafka.security -}}true{{- end -}}
{{- end -}}

{{- define "spillway.kafkaTls" -}}
{{- if has .Values.kafka.security (list "tls" "sasl_tls") -}}true{{- end -}}
{{- end -}}

{{/* The Secret of a component's certificate, or nothing: mTLS is TLS without SASL. */}}
{{- define "spillway.kafkaCertificate" -}}
{{- if eq .root.Values.kafka.security "tls" -}}
{{- (include "spillway.kafkaUser" . | fromYaml).secret -}}
{{- end -}}
{{- end -}}

{{/* The Secret of a component's password, or nothing. */}}
{{- define "spillway.kafkaPassword" -}}
{{- if and (include "spillway.kafkaSasl" .root) (ne .root.Values.kafka.sasl.mechanism "aws-iam") -}}
{{- required (printf "kafka.sasl.existingSecret: %s needs a password, or strimzi.users.enabled" .name) (include "spillway.kafkaUser" . | fromYaml).secret -}}
{{- end -}}
{{- end -}}

{{- define "spillway.kafkaEnv" -}}
{{- $kafka := .root.Values.kafka -}}
{{- if ne $kafka.security "plaintext" }}
- name: SPILLWAY_KAFKA_SECURITY
  value: {{ $kafka.security }}
{{- end }}
{{- if include "spillway.kafkaTls" .root }}
{{- if $kafka.ca.existingSecret }}
- name: SPILLWAY_KAFKA_CA_FILE
  value: /etc/spillway/kafka-ca/{{ $kafka.ca.key }}
{{- end }}
{{- if include "spillway.kafkaCertificate" . }}
- name: SPILLWAY_KAFKA_CERTIFICATE_FILE
  value: /etc/spillway/kafka-client/{{ $kafka.clientCertificate.certificateKey }}
- name: SPILLWAY_KAFKA_KEY_FILE
  value: /etc/spillway/kafka-client/{{ $kafka.clientCertificate.privateKeyKey }}
{{- end }}
{{- end }}
{{- if include "spillway.kafkaSasl" .root }}
- name: SPILLWAY_KAFKA_SASL_MECHANISM
  value: {{ $kafka.sasl.mechanism }}
{{- if eq $kafka.sasl.mechanism "aws-iam" }}
- name: SPILLWAY_KAFKA_AWS_REGION
  value: {{ required "kafka.sasl.awsRegion: aws-iam needs the region of the brokers" $kafka.sasl.awsRegion }}
{{- else }}
{{- $user := include "spillway.kafkaUser" . | fromYaml }}
- name: SPILLWAY_KAFKA_USERNAME
  value: {{ required (printf "kafka.sasl.username: %s needs a name, or strimzi.users.enabled" .name) $user.username | quote }}
# A file: it is in no process's environment, and a changed one is read by the next client.
- name: SPILLWAY_KAFKA_PASSWORD_FILE
  value: /etc/spillway/kafka-user/{{ $kafka.sasl.passwordKey }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Names of the Secrets that are mounted, as YAML: name of the volume -> name of the Secret. */}}
{{- define "spillway.kafkaSecrets" -}}
{{- if include "spillway.kafkaTls" .root }}
{{- with .root.Values.kafka.ca.existingSecret }}
kafka-ca: {{ . | quote }}
{{- end }}
{{- with include "spillway.kafkaCertificate" . }}
kafka-client: {{ . | quote }}
{{- end }}
{{- end }}
{{- with include "spillway.kafkaPassword" . }}
kafka-user: {{ . | quote }}
{{- end }}
{{- end -}}

{{- define "spillway.kafkaMounts" -}}
{{- range $volume, $secret := include "spillway.kafkaSecrets" . | fromYaml }}
- {name: {{ $volume }}, mountPath: /etc/spillway/{{ $volume }}, readOnly: true}
{{- end }}
{{- end -}}

{{- define "spillway.kafkaVolumes" -}}
{{- range $volume, $secret := include "spillway.kafkaSecrets" . | fromYaml }}
- name: {{ $volume }}
  secret: {secretName: {{ $secret | quote }}, defaultMode: 0440}
{{- end }}
{{- end -}}
