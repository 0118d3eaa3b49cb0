{{/* Seconds that a Pod is given to end: it leaves, drains (`values.drain`) and stops. Of the dict of agent.proxies. */}}
{{- define "agent.grace" -}}
{{- $unit := regexFind "[a-z]+$" .values.drain -}}
{{- $drain := mul (regexFind "^[0-9]+" .values.drain | int) (get (dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000) $unit) -}}
{{- max 60 (add (div $drain 1000) (default 0 .leave) 15) -}}
{{- end -}}

{{/*
The Deployment of proxies without a workload, their ServiceAccount and PodDisruptionBudget: of a dict with root, name, account, selector (a
text of labels), values (their section of the values), flags (of `hawser proxy run`), ports (of the container, beside health and stats) and
leave (seconds that a Pod goes on serving while it is taken out of Services).
*/}}
{{- define "agent.proxies" -}}
{{- $root := .root -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ .account }}
  namespace: {{ $root.Release.Namespace }}
  labels: {{- include "hawser.labels" $root | nindent 4 }}
automountServiceAccountToken: false
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .name }}
  namespace: {{ $root.Release.Namespace }}
  labels: {{- include "hawser.labels" $root | nindent 4 }}
spec:
  replicas: {{ .values.replicas }}
  strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}
  selector:
    matchLabels: {{- .selector | nindent 6 }}
  template:
    metadata:
      labels: {{- .selector | nindent 8 }}
    spec:
      serviceAccountName: {{ .account }}
      automountServiceAccountToken: false
      enableServiceLinks: false
      terminationGracePeriodSeconds: {{ include "agent.grace" . }}
      securityContext: {{- include "hawser.podSecurity" $root | nindent 8 }}
      {{- include "hawser.placement" (dict "root" $root "values" .values "selector" .selector) | trim | nindent 6 }}
      containers:
        - name: {{ .account }}
          image: {{ include "agent.proxyImage" $root | quote }}
          imagePullPolicy: {{ $root.Values.proxyImage.pullPolicy }}
          command: [hawser]
          args:
            - proxy
            - run
            {{- range .flags }}
            - {{ . }}
            {{- end }}
            - --cluster
            - {{ $root.Values.cluster | quote }}
            - --name
            - $(POD_NAME).{{ $root.Release.Namespace }}
            - --address
            - $(POD_IP)
            - --token-file
            - /var/run/secrets/hawser/token
            - --agent
            - {{ printf "%s.%s.svc:15010" (include "hawser.fullname" $root) $root.Release.Namespace | quote }}
            - --agent-ca
            - /etc/hawser/trust/ca.pem
            - --concurrency
            - {{ .values.concurrency | quote }}
            - --drain
            - {{ .values.drain | quote }}
            {{- range .values.extraArgs }}
            - {{ . | quote }}
            {{- end }}
          env:
            - {name: HAWSER_STATE_DIR, value: /var/lib/hawser}
            - name: POD_IP
              valueFrom: {fieldRef: {fieldPath: status.podIP}}
            - name: POD_NAME
              valueFrom: {fieldRef: {fieldPath: metadata.name}}
          ports:
            {{- toYaml .ports | nindent 12 }}
            - {name: health, containerPort: 15021}
            - {name: stats, containerPort: 15090}
          {{- with .leave }}
          lifecycle: {preStop: {exec: {command: [sleep, {{ . | quote }}]}}}
          {{- end }}
          # Envoy calls itself ready, too, when its agent gave it nothing for a while: then it does not listen here.
          startupProbe: {tcpSocket: {port: {{ (first .ports).name }}}, periodSeconds: 2, failureThreshold: 150, timeoutSeconds: 5}
          readinessProbe: {httpGet: {path: /healthz/ready, port: health}, periodSeconds: 5, failureThreshold: 2, timeoutSeconds: 5}
          livenessProbe: {tcpSocket: {port: health}, periodSeconds: 10, failureThreshold: 6, timeoutSeconds: 5}
          securityContext: {{- include "hawser.containerSecurity" $root | nindent 12 }}
          resources: {{- toYaml .values.resources | nindent 12 }}
          volumeMounts:
            - {name: state, mountPath: /var/lib/hawser}
            - {name: tmp, mountPath: /tmp}
            - {name: token, mountPath: /var/run/secrets/hawser, readOnly: true}
            - {name: trust, mountPath: /etc/hawser/trust, readOnly: true}
      volumes:
        - {name: state, emptyDir: {sizeLimit: 64Mi}}
        - {name: tmp, emptyDir: {sizeLimit: 256Mi}}
        - name: token
          projected:
            sources:
              - serviceAccountToken: {audience: hawser, expirationSeconds: 3600, path: token}
        - {name: trust, configMap: {{ include "agent.trustSource" $root }}}
{{- if and $root.Values.podDisruptionBudget.enabled (gt (int .values.replicas) 1) }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ .name }}
  namespace: {{ $root.Release.Namespace }}
  labels: {{- include "hawser.labels" $root | nindent 4 }}
spec:
  maxUnavailable: {{ $root.Values.podDisruptionBudget.maxUnavailable }}
  selector:
    matchLabels: {{- .selector | nindent 6 }}
{{- end }}
{{- end -}}
