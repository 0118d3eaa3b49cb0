{{/* Arguments of `hawser agent run`. What is secret comes by the environment and by files. */}}
{{- define "agent.args" -}}
- agent
- run
- --kubernetes
- --address
- $(POD_IP)
- --identity-dir
- /var/lib/hawser-identity
- --trust-config-map
- {{ printf "%s/%s" .Release.Namespace (include "agent.trustConfigMap" .) | quote }}
{{- with .Values.cluster }}
- --cluster
- {{ . | quote }}
{{- end }}
{{- range .Values.gateway.addresses }}
- --gateway
- {{ . | quote }}
{{- end }}
{{- range .Values.secretNamespaces }}
- --secret-namespace
- {{ . | quote }}
{{- end }}
{{- range .Values.edgeAccounts }}
- --edge-account
- {{ . | quote }}
{{- end }}
{{- if .Values.importEndpointSlices }}
- --import-endpoint-slices
{{- end }}
- --send-all-up-to
- {{ .Values.sendAllUpTo | quote }}
{{- if .Values.caKey.existingSecret }}
- --ca-key-file
- {{ printf "/etc/hawser/ca-key/%s" .Values.caKey.key | quote }}
{{- end }}
{{- if .Values.hubCa.existingSecret }}
- --ca-file
- {{ printf "/etc/hawser/hub-ca/%s" .Values.hubCa.key | quote }}
{{- end }}
{{- if .Values.monitoring.podMonitor.enabled }}
- --tls
- "on"
- --admin-address
- $(POD_IP)
{{- end }}
{{- if .Values.injection.enabled }}
- --inject
- /etc/hawser/injection/injection.yaml
{{- end }}
{{- if .Values.gatewayMode.enabled }}
- --gateway-mode
- --outbound-gateway
- {{ printf "%s/hawser-outbound" .Release.Namespace | quote }}
{{- end }}
{{- range .Values.extraArgs }}
- {{ . | quote }}
{{- end }}
{{- end -}}

{{/* The ConfigMap that the agent keeps (deploy/kubernetes/agent-rbac.yaml). */}}
{{- define "agent.trustConfigMap" -}}
{{- include "hawser.fullname" . }}-trust-bundle
{{- end -}}

{{/* Where the Pods of proxies have it from. By the key, they wait until the agent has filled it. */}}
{{- define "agent.trustSource" -}}
{{- $bundle := .Values.gateway.trustBundle -}}
{{- $key := ternary "ca.pem" $bundle.key (empty $bundle.existingConfigMap) -}}
{name: {{ $bundle.existingConfigMap | default (include "agent.trustConfigMap" .) }}, items: [{key: {{ $key }}, path: ca.pem}]}
{{- end -}}

{{/* The image of gateways and sidecars. */}}
{{- define "agent.proxyImage" -}}
{{- include "hawser.imageOf" (dict "root" . "image" .Values.proxyImage) -}}
{{- end -}}

{{/* Of the webhook and what belongs to it: one of each revision in a cluster. A second of the same is refused by Helm, as what it would take is another release's. */}}
{{- define "agent.injectionName" -}}
{{- $revision := .Values.injection.revision -}}
hawser-injection{{ if ne $revision "default" }}-{{ $revision }}{{ end }}
{{- end -}}

{{/* Asks the admin door for a path, of the address of this Pod that it listens on; bash is in the image, and costs less than a Node each time. */}}
{{- define "agent.probe" -}}
exec: {command: [bash, -c, 'exec 3<>"/dev/tcp/${ADMIN_ADDRESS}/15014" && printf "GET {{ .path }} HTTP/1.0\r\n\r\n" >&3 && read -r _ code _ <&3 && [ "$code" = 200 ]']}
{{- end -}}

{{/* A file of deploy/kubernetes, under this release's name and in its namespace: of a dict with root and file. No name holds a "<". */}}
{{- define "agent.delivered" -}}
{{- $source := .root.Files.Get (printf "files/kubernetes/%s" .file) | replace "hawser-system" "<namespace>" -}}
{{- $source | replace "hawser-agent" (include "hawser.fullname" .root) | replace "<namespace>" .root.Release.Namespace -}}
{{- end -}}

{{- define "agent.gatewaySelector" -}}
app.kubernetes.io/name: hawser-gateway
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "agent.outboundSelector" -}}
app.kubernetes.io/name: hawser-outbound
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* What no schema can say, for it needs several values or where the release goes. */}}
{{- define "agent.check" -}}
{{- if and (gt (int .Values.replicas) 1) (not .Values.identity.existingSecret) (not .Values.identity.existingClaim) (ne .Values.identity.accessMode "ReadWriteMany") -}}
{{- fail "replicas: several agents share one identity folder, which a volume of accessMode ReadWriteOnce cannot be on two nodes: set identity.accessMode to ReadWriteMany, or name identity.existingClaim or identity.existingSecret" -}}
{{- end -}}
{{- if and .Values.denyImportWrites.enabled (semverCompare "<1.30.0-0" .Capabilities.KubeVersion.Version) -}}
{{- fail (printf "denyImportWrites.enabled: Kubernetes %s has no ValidatingAdmissionPolicy: leave it out, the agent puts right what users write, or upgrade to 1.30" .Capabilities.KubeVersion.Version) -}}
{{- end -}}
{{- if .Values.gateway.enabled -}}
{{- if ne .Release.Namespace "hawser-system" -}}
{{- fail (printf "gateway.enabled: gateways are hawser-system/gateway by their certificates, and this release goes to namespace %s: install it with --namespace hawser-system" .Release.Namespace) -}}
{{- end -}}
{{- if not .Values.cluster -}}
{{- fail "gateway.enabled: a gateway has to know the name of its cluster: set cluster" -}}
{{- end -}}
{{- end -}}
{{- if and .Values.gatewayMode.enabled (not .Values.cluster) -}}
{{- fail "gatewayMode.enabled: the outbound gateway has to know the name of its cluster: set cluster" -}}
{{- end -}}
{{- end -}}
