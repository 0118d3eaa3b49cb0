/** Secrets that say whom to believe: a SPIFFE bundle per trust domain, never pooled, and which identities of it are meant. */
import { create } from '@bufbuild/protobuf';
import { GATEWAY_NAMESPACE, GATEWAY_SERVICE_ACCOUNT, spiffeId } from '@hawser/model/fleet.ts';
import { SubjectAltNameMatcher_SanType } from '@hawser/xds/generated/envoy/extensions/transport_sockets/tls/v3/common_pb.ts';
import { SecretSchema } from '@hawser/xds/generated/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts';
import {
  type SPIFFECertValidatorConfig_TrustDomainSchema,
  SPIFFECertValidatorConfigSchema,
} from '@hawser/xds/generated/envoy/extensions/transport_sockets/tls/v3/tls_spiffe_validator_config_pb.ts';
import type { XdsResource } from '../snapshot/resource.ts';
import type { PeerCluster } from '../state/world.ts';
import { encoded } from './encode.ts';
import type { Fleet, TrustSource } from './fleet.ts';
import { gatewayTrustName, INBOUND_TRUST, serviceTrustName } from './names.ts';
import type { ServiceView } from './services/service-view.ts';
import { extension, type Init } from './wire-values.ts';

type IdentityMatch = { readonly exact: string } | { readonly prefix: string };

/**
 * Trust in a service's servers: the exact identities its clusters gave it, each against its own cluster's bundle; of clusters that have
 * servers without a sidecar the gateways', which speak for them as themselves (decision 0040).
 * While no bundle of a serving cluster is known, the own one stands in: it accepts none of those identities.
 */
export function serviceTrust(view: ServiceView, { self, believed }: Fleet): XdsResource {
  const serving = [...new Map(view.servers.map(({ cluster }) => [cluster.name, cluster])).values()];
  const identities = view.servers.flatMap(({ cluster, serviceAccounts, hasBare }) => [
    ...serviceAccounts.map((account) => ({ exact: spiffeId(cluster.trustDomain, view.name.namespace, account) })),
    ...(hasBare === true ? [{ exact: gatewayId(cluster) }] : []),
  ]);
  const known = alsoKnownAs(view, serving);
  const named = believed.filter(({ trustDomain }) => known.some(({ exact }) => exact.startsWith(`spiffe://${trustDomain}/`)));
  const domains = [...new Set<TrustSource>([...serving, ...named])];
  identities.push(...known);
  return trustSecret(
    serviceTrustName(view.key),
    domains.length > 0 ? domains : [self],
    identities.length > 0 ? identities : [{ exact: nobodyOf(self) }],
  );
}

/** An identity that is never given to anybody. */
function nobodyOf({ trustDomain }: PeerCluster): string {
  return spiffeId(trustDomain, 'hawser-system', 'nobody');
}

/** Istio's `cluster.local` is whichever trust domain a server has. */
function alsoKnownAs({ alsoKnownAs: names }: ServiceView, clusters: readonly PeerCluster[]): { exact: string }[] {
  const istio = 'spiffe://cluster.local/';
  return names.flatMap((name) => {
    if (!name.startsWith(istio)) return [{ exact: name }];
    return clusters.map(({ trustDomain }) => ({ exact: `spiffe://${trustDomain}/${name.slice(istio.length)}` }));
  });
}

/** Trust in callers: any workload of any trust domain that the own one believes, each against its own bundle. */
export function inboundTrust(clusters: readonly TrustSource[]): XdsResource {
  // The slash ends the trust domain: without it `spiffe://a.test` would match `spiffe://a.test.evil.com` (RELIABILITY.md 0.3).
  const prefixes = clusters.map((cluster) => ({ prefix: `spiffe://${cluster.trustDomain}/` }));
  return trustSecret(INBOUND_TRUST, clusters, prefixes);
}

/** Trust in these callers alone, of whichever trust domain that the own one believes. */
export function callersTrust(name: string, clusters: readonly TrustSource[], identities: readonly string[]): XdsResource {
  return trustSecret(
    name,
    clusters,
    identities.map((exact) => ({ exact })),
  );
}

/** Trust in the gateways of one cluster; in nobody while its trust domain and the own one do not federate. */
export function gatewayTrust(cluster: PeerCluster, { self, trusted }: Fleet): XdsResource {
  const name = gatewayTrustName(cluster.name);
  if (!trusted.has(cluster.name)) return trustSecret(name, [self], [{ exact: nobodyOf(self) }]);
  return trustSecret(name, [cluster], [{ exact: gatewayId(cluster) }]);
}

function gatewayId({ trustDomain }: PeerCluster): string {
  return spiffeId(trustDomain, GATEWAY_NAMESPACE, GATEWAY_SERVICE_ACCOUNT);
}

function trustSecret(name: string, clusters: readonly TrustSource[], identities: readonly IdentityMatch[]): XdsResource {
  const kind: 'exact' | 'prefix' = 'exact' in (identities[0] ?? {}) ? 'exact' : 'prefix';
  const values = identities.map((match) => ('exact' in match ? match.exact : match.prefix));
  const secret = create(SecretSchema, {
    name,
    type: {
      case: 'validationContext',
      value: {
        customValidatorConfig: {
          name: 'envoy.tls.cert_validator.spiffe',
          typedConfig: extension('', SPIFFECertValidatorConfigSchema, { trustDomains: bundles(clusters) }).configType.value,
        },
        matchTypedSubjectAltNames: [...new Set(values)].sort().map((value) => ({
          sanType: SubjectAltNameMatcher_SanType.URI,
          matcher: { matchPattern: { case: kind, value } },
        })),
      },
    },
  });
  return encoded('SDS', name, secret, SecretSchema);
}

/** Clusters of one trust domain share its bundle: Envoy refuses a domain that is named twice. */
function bundles(clusters: readonly TrustSource[]): Init<typeof SPIFFECertValidatorConfig_TrustDomainSchema>[] {
  const byDomain = Map.groupBy(clusters, (cluster) => cluster.trustDomain);
  return [...byDomain.keys()].sort().map((name) => {
    const certificates = new Set((byDomain.get(name) ?? []).flatMap((cluster) => cluster.trustBundle));
    return { name, trustBundle: { specifier: { case: 'inlineString' as const, value: [...certificates].sort().join('\n') } } };
  });
}
