/** An upstream with its endpoints, as people read them. Pure. */
import type { ExplainedEndpoint, ExplainedUpstream } from '@hawser/wire/messages.ts';
import type { Address } from '@hawser/xds/generated/envoy/config/core/v3/address_pb.ts';
import type { Locality } from '@hawser/xds/generated/envoy/config/core/v3/base_pb.ts';
import { HealthStatus } from '@hawser/xds/generated/envoy/config/core/v3/health_check_pb.ts';
import type { LocalityLbEndpoints } from '@hawser/xds/generated/envoy/config/endpoint/v3/endpoint_components_pb.ts';
import { parseUpstreamName } from '../translate/names.ts';
import type { SentConfig } from './sent-config.ts';

/** The answer has to fit into one message, and nobody reads more. */
const MOST_ENDPOINTS = 100;

/** The upstream of this name; `share` in percent. */
export function explainedUpstream(
  cluster: string,
  { share, effects }: Pick<ExplainedUpstream, 'share' | 'effects'>,
  config: SentConfig,
): ExplainedUpstream {
  const parsed = parseUpstreamName(cluster);
  const localities = config.assignment(cluster)?.endpoints ?? [];
  const endpoints = localities.flatMap(endpointsOf).sort((a, b) => a.priority - b.priority || b.weight - a.weight);
  const named =
    parsed === undefined ? {} : { host: parsed.host, port: parsed.port, ...(parsed.subset === '' ? {} : { subset: parsed.subset }) };
  const missing = config.upstream(cluster) === undefined ? ['the proxy was not sent this upstream'] : [];
  const fetched = config.isFetched(cluster) ? ['waits until the proxy has fetched this upstream, which it did not use before'] : [];
  return {
    ...{ cluster, ...named, share, effects: [...effects, ...fetched, ...missing], endpoints: endpoints.slice(0, MOST_ENDPOINTS) },
    endpointsOmitted: Math.max(0, endpoints.length - MOST_ENDPOINTS),
  };
}

const HEALTH: Readonly<Record<number, string>> = {
  ...{ [HealthStatus.HEALTHY]: 'HEALTHY', [HealthStatus.UNHEALTHY]: 'UNHEALTHY', [HealthStatus.DRAINING]: 'DRAINING' },
  ...{ [HealthStatus.DEGRADED]: 'DEGRADED', [HealthStatus.TIMEOUT]: 'TIMEOUT' },
};

function endpointsOf({ locality, lbEndpoints, priority, loadBalancingWeight = 1 }: LocalityLbEndpoints): ExplainedEndpoint[] {
  return lbEndpoints.map(({ hostIdentifier, healthStatus }) => ({
    address: hostIdentifier.case === 'endpoint' ? addressText(hostIdentifier.value.address) : '',
    locality: localityText(locality),
    ...{ priority, weight: loadBalancingWeight, health: HEALTH[healthStatus] ?? 'UNKNOWN' },
  }));
}

function addressText(address: Address | undefined): string {
  const at = address?.address;
  if (at?.case === 'socketAddress') {
    const port = at.value.portSpecifier.case === 'portValue' ? at.value.portSpecifier.value : 0;
    return `${at.value.address}:${port}`;
  }
  if (at?.case === 'envoyInternalAddress') return `${at.value.addressNameSpecifier.value ?? ''} → ${at.value.endpointId}`;
  return at?.case === 'pipe' ? at.value.path : '';
}

function localityText(locality: Locality | undefined): string {
  return [locality?.region, locality?.zone, locality?.subZone].join('/').replace(/\/+$/, '');
}
