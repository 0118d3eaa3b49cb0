/** Names by which Pods and Namespaces say what they want, and by which an injected Pod says what it was given. */

/** On a Namespace `enabled`; on a Pod `false` (or `disabled`) leaves it out, as a label or an annotation. */
export const INJECT_LABEL = 'hawser.dev/inject';
/** On a Namespace or a Pod: which revision injects; without it the one that is called `default`. */
export const REVISION_LABEL = 'hawser.dev/rev';
/** On an injected Pod: `REVISION.FINGERPRINT` of the settings that it was made by. */
export const SIDECAR_LABEL = 'hawser.dev/sidecar';
/** On an injected Pod: what was added, as JSON (`InjectedAccount`). */
export const INJECTED_ANNOTATION = 'hawser.dev/injected';

/** Annotations of a Pod that say something else than the settings do. */
export const OVERRIDES = {
  image: 'hawser.dev/proxy-image',
  capture: 'hawser.dev/capture',
  cpu: 'hawser.dev/proxy-cpu',
  memory: 'hawser.dev/proxy-memory',
  cpuLimit: 'hawser.dev/proxy-cpu-limit',
  memoryLimit: 'hawser.dev/proxy-memory-limit',
  excludeInboundPorts: 'hawser.dev/exclude-inbound-ports',
  excludeOutboundPorts: 'hawser.dev/exclude-outbound-ports',
} as const;

/** Containers and volumes that are added; all of a Pod's own have other names. */
export const CAPTURE_CONTAINER = 'hawser-capture';
export const PROXY_CONTAINER = 'hawser-proxy';
export const TOKEN_VOLUME = 'hawser-token';
export const POD_VOLUME = 'hawser-pod';
export const STATE_VOLUME = 'hawser-state';
export const ADDED_CONTAINERS: readonly string[] = [CAPTURE_CONTAINER, PROXY_CONTAINER];
export const ADDED_VOLUMES: readonly string[] = [TOKEN_VOLUME, POD_VOLUME, STATE_VOLUME];
