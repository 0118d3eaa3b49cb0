/** The containers and volumes that a Pod is given. They name nothing of the Pod: the downward API tells the proxy who it is. Pure. */
import { PORTS } from '../ports.ts';
import { CAPTURE_CONTAINER, POD_VOLUME, PROXY_CONTAINER, STATE_VOLUME, TOKEN_VOLUME } from './injection-names.ts';
import type { InjectionSettings } from './injection-settings.ts';

type Json = Readonly<Record<string, unknown>>;
/** A container (v1). */
export type AddedContainer = Json & { readonly name: string };

/** Audience of the projected token (decision 0033), and how long the kubelet asks for: it renews at four fifths. */
const TOKEN = { audience: 'hawser', expirationSeconds: 3_600, path: 'token' };
const TOKEN_FOLDER = '/var/run/secrets/hawser';
const POD_FOLDER = '/etc/hawser/pod';
const STATE_FOLDER = '/var/lib/hawser';

/**
 * Init containers that come before a Pod's own: what leads its traffic to the sidecar, then the sidecar (restartPolicy Always, KEP-753).
 * @param isShared Whether they live by what the Pod has as a whole.
 */
export function addedContainers(settings: InjectionSettings, isShared: boolean): readonly AddedContainer[] {
  return settings.capture ? [captureContainer(settings, isShared), proxyContainer(settings)] : [proxyContainer(settings)];
}

/** Volumes of those. */
export function addedVolumes(): readonly Json[] {
  return [
    { name: TOKEN_VOLUME, projected: { defaultMode: 0o444, sources: [{ serviceAccountToken: TOKEN }] } },
    { name: POD_VOLUME, downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
    // In memory: it holds the token, which is on no disk otherwise.
    { name: STATE_VOLUME, emptyDir: { medium: 'Memory', sizeLimit: '16Mi' } },
  ];
}

/** Runs once, before anything else of the Pod. NET_ADMIN and NET_RAW in the Pod's own network namespace are all it has. */
function captureContainer(settings: InjectionSettings, isShared: boolean): AddedContainer {
  const { image, proxyUser, virtualRange, ipv6, excludeInboundPorts, excludeOutboundPorts, excludeOutbound } = settings;
  const list = (flag: string, values: readonly (string | number)[]): string[] => (values.length === 0 ? [] : [flag, values.join()]);
  return {
    name: CAPTURE_CONTAINER,
    image,
    command: [
      ...['hawser', 'proxy', 'capture', '--install', '--proxy-user', String(proxyUser), '--virtual-range', virtualRange],
      ...list('--exclude-inbound-ports', excludeInboundPorts),
      ...list('--exclude-outbound-ports', excludeOutboundPorts),
      ...list('--exclude-outbound', excludeOutbound),
      ...(ipv6 ? [] : ['--no-ipv6']),
    ],
    resources: isShared ? {} : { requests: { cpu: '10m', memory: '64Mi' }, limits: { memory: '256Mi' } },
    securityContext: {
      ...{ runAsUser: 0, runAsGroup: 0, runAsNonRoot: false, allowPrivilegeEscalation: false, privileged: false },
      ...{ readOnlyRootFilesystem: true, capabilities: { add: ['NET_ADMIN', 'NET_RAW'], drop: ['ALL'] } },
      seccompProfile: { type: 'RuntimeDefault' },
    },
    // iptables takes a lock below /run.
    volumeMounts: [{ name: STATE_VOLUME, mountPath: '/run', subPath: 'run' }],
  };
}

/** Lives as long as the Pod; what comes after it starts when it is ready. */
function proxyContainer({ image, proxyUser, capture, ipv6, requests, limits, cluster, agent, agentCa }: InjectionSettings): AddedContainer {
  const ready = { httpGet: { path: '/healthz/ready', port: PORTS.health } };
  return {
    name: PROXY_CONTAINER,
    image,
    restartPolicy: 'Always',
    command: ['hawser', 'proxy', 'run', ...(capture ? ['--capture', ...(ipv6 ? [] : ['--no-ipv6'])] : [])],
    env: [
      { name: 'HAWSER_CLUSTER', value: cluster },
      { name: 'HAWSER_AGENT', value: agent },
      { name: 'HAWSER_AGENT_CA_PEM', value: agentCa },
      ofPod('HAWSER_POD_NAME', 'metadata.name'),
      ofPod('HAWSER_POD_NAMESPACE', 'metadata.namespace'),
      ofPod('HAWSER_POD_IP', 'status.podIP'),
      ofPod('HAWSER_SERVICE_ACCOUNT', 'spec.serviceAccountName'),
      { name: 'HAWSER_POD_LABELS_FILE', value: `${POD_FOLDER}/labels` },
      { name: 'HAWSER_PROXY_TOKEN_FILE', value: `${TOKEN_FOLDER}/${TOKEN.path}` },
      { name: 'HAWSER_STATE_DIR', value: STATE_FOLDER },
      { name: 'NODE_DISABLE_COMPILE_CACHE', value: '1' },
    ],
    ports: [
      { name: 'hawser-health', containerPort: PORTS.health, protocol: 'TCP' },
      { name: 'hawser-stats', containerPort: PORTS.stats, protocol: 'TCP' },
    ],
    // Ten minutes for an agent that is away; then it is started anew, and asks again.
    startupProbe: { ...ready, periodSeconds: 1, timeoutSeconds: 3, failureThreshold: 600 },
    readinessProbe: { ...ready, periodSeconds: 5, timeoutSeconds: 3, failureThreshold: 3 },
    resources: { requests, limits },
    securityContext: {
      ...{ runAsUser: proxyUser, runAsGroup: proxyUser, runAsNonRoot: true, allowPrivilegeEscalation: false, privileged: false },
      ...{ readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] }, seccompProfile: { type: 'RuntimeDefault' } },
    },
    volumeMounts: [
      { name: TOKEN_VOLUME, mountPath: TOKEN_FOLDER, readOnly: true },
      { name: POD_VOLUME, mountPath: POD_FOLDER, readOnly: true },
      { name: STATE_VOLUME, mountPath: STATE_FOLDER, subPath: 'proxy' },
    ],
  };
}

function ofPod(name: string, fieldPath: string): Json {
  return { name, valueFrom: { fieldRef: { fieldPath } } };
}
