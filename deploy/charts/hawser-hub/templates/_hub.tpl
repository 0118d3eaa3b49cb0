{{- define "hub.publicUrl" -}}
{{- .Values.publicUrl | default (printf "https://%s.%s.svc:%v" (include "hawser.fullname" .) .Release.Namespace .Values.service.port) -}}
{{- end -}}

{{/* Arguments of `hawser hub run`. What is secret comes by the environment and by files. */}}
{{- define "hub.args" -}}
- hub
- run
- --address
- 0.0.0.0
- --port
- "8080"
- --public-url
- {{ include "hub.publicUrl" . | quote }}
- --keys-dir
- /etc/hawser/keys
- --nats-url
- {{ join "," .Values.nats.urls | quote }}
{{- if .Values.nats.caSecret }}
- --nats-ca-file
- /etc/hawser/nats-ca/ca.crt
{{- end }}
{{- if .Values.nats.copies }}
- --nats-replicas
- {{ .Values.nats.copies | quote }}
{{- end }}
{{- if .Values.tls.existingSecret }}
- --tls-cert
- /etc/hawser/tls/tls.crt
- --tls-key
- /etc/hawser/tls/tls.key
{{- if .Values.tls.pinCa }}
- --tls-ca
- /etc/hawser/tls/ca.crt
{{- end }}
{{- end }}
{{- if .Values.integrations.existingSecret }}
- --integrations
- {{ printf "/etc/hawser/integrations/%s" .Values.integrations.key | quote }}
{{- end }}
{{- range .Values.extraArgs }}
- {{ . | quote }}
{{- end }}
{{- end -}}
