/** What a proxy says of itself in `node.metadata`, checked against what its token proves. */
import { isIP } from 'node:net';
import { GATEWAY_NAMESPACE, GATEWAY_SERVICE_ACCOUNT } from '@hawser/model/fleet.ts';
import { canonicalIp } from '@hawser/runtime/canonical-ip.ts';
import { isLoopback } from '@hawser/runtime/plain-listener.ts';
import type { ConnectedProxy, ProxyIdentity } from './proxy-gate.ts';

/** The part of Envoy's node that Hawser's bootstrap sets: `metadata` {role, address, name, namespace, serviceAccount, cluster, labels}. */
export interface NodeMetadata {
  readonly [field: string]: unknown;
}

/** The proxy that the claims describe, or a sentence that names the claim that is missing, malformed or not proven. */
export function checkClaims(metadata: NodeMetadata, identity: ProxyIdentity): ConnectedProxy | string {
  const { role, address: said, name } = metadata;
  if (role !== 'sidecar' && role !== 'gateway' && role !== 'edge')
    return `node.metadata.role is ${shown(role)}, expected sidecar, gateway or edge`;
  if (typeof said !== 'string' || isIP(said) === 0) return `node.metadata.address is ${shown(said)}, expected an IP address`;
  if (typeof name !== 'string' || !/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(name))
    return `node.metadata.name is ${shown(name)}, expected lower-case letters, digits, dashes and dots`;
  const { cluster, namespace, serviceAccount } = identity;
  const proven: Record<string, string> = {
    cluster,
    namespace,
    serviceAccount,
    ...(identity.name === undefined ? {} : { name: identity.name }),
  };
  for (const [claim, value] of Object.entries(proven))
    if (metadata[claim] !== value) return `node.metadata.${claim} is ${shown(metadata[claim])}, but the token is for ${shown(value)}`;
  if (role === 'gateway' && (namespace !== GATEWAY_NAMESPACE || serviceAccount !== GATEWAY_SERVICE_ACCOUNT))
    return `node.metadata.role is "gateway", but the token is for ${namespace}/${serviceAccount}; gateways are ${GATEWAY_NAMESPACE}/${GATEWAY_SERVICE_ACCOUNT}`;
  if (role === 'edge' && identity.edge !== true)
    return 'node.metadata.role is "edge", but the token is not for an edge proxy; make one with: hawser proxy token --edge …';
  const [address, labels] = [canonicalIp(said), labelsIn(metadata['labels'])];
  const { capture, onDemand, outboundAddress, outboundGateway } = metadata;
  if (onDemand !== undefined && onDemand !== 'upstreams') return `node.metadata.onDemand is ${shown(onDemand)}, expected upstreams`;
  if (outboundAddress !== undefined && (typeof outboundAddress !== 'string' || isIP(outboundAddress) === 0 || !isLoopback(outboundAddress)))
    return `node.metadata.outboundAddress is ${shown(outboundAddress)}, expected an address of loopback: nobody else on the network may speak in its name`;
  const refusal = outboundGateway === undefined ? undefined : outboundGatewayRefusal(metadata, identity);
  if (refusal !== undefined) return refusal;
  const fetching = onDemand === undefined ? {} : { fetchesUpstreams: true as const };
  const called = {
    ...(outboundAddress === undefined ? {} : { outboundAddress }),
    ...(outboundGateway === undefined ? {} : { outboundGateway: true as const }),
  };
  if (capture === undefined) return { name, role, address, namespace, serviceAccount, labels, ...fetching, ...called };
  if (role !== 'sidecar' || (capture !== 'ipv4' && capture !== 'dual'))
    return `node.metadata.capture is ${shown(capture)}, expected ipv4 or dual, and of a sidecar alone`;
  return { name, role, address, namespace, serviceAccount, labels, capture, ...fetching, ...called };
}

/** Why a proxy may not take calls of others on its own address, where it may not: they go out in its name. */
function outboundGatewayRefusal(metadata: NodeMetadata, { namespace, serviceAccount, outboundGateway }: ProxyIdentity): string | undefined {
  if (metadata['outboundGateway'] !== true) return `node.metadata.outboundGateway is ${shown(metadata['outboundGateway'])}, expected true`;
  if (outboundGateway !== true)
    return `node.metadata.outboundGateway is true, but the token is for ${namespace}/${serviceAccount}: the agent takes the account of its --outbound-gateway alone, and with --gateway-mode`;
  if (metadata['role'] !== 'sidecar' || metadata['capture'] !== undefined || metadata['outboundAddress'] !== undefined)
    return 'node.metadata.outboundGateway is for a sidecar without capture or outboundAddress: it is called at its own address';
  return undefined;
}

const MOST_LABELS = 64;
const LONGEST_LABEL = 317;

/** Labels that have the form of labels; they are a hint, so that what is none is passed over. */
function labelsIn(claimed: unknown): Readonly<Record<string, string>> {
  if (typeof claimed !== 'object' || claimed === null) return {};
  const texts = Object.entries(claimed).filter(
    (entry): entry is [string, string] =>
      typeof entry[1] === 'string' && entry[0].length <= LONGEST_LABEL && entry[1].length <= LONGEST_LABEL,
  );
  return Object.fromEntries(texts.slice(0, MOST_LABELS).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** A claim in an error message: short, and no control characters. */
function shown(value: unknown): string {
  return value === undefined ? 'missing' : JSON.stringify(value).slice(0, 80);
}
