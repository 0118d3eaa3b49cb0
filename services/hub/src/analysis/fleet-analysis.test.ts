import type { Resource } from '@hawser/model/resource.ts';
import { describe, expect, it } from 'vitest';
import type { FleetContext } from '../fleet/fleet-context.ts';
import { memberOf, policyOf, proxyOf, shardOf, statusOf } from '../fleet/fleet-fixture.ts';
import { FleetState } from '../fleet/fleet-state.ts';
import { analysisOf, warningsOf } from './fleet-analysis.ts';

/** A fleet of two clusters, the first with reviews v1 and an edge proxy; `heard` clusters have spoken. */
function contextOf(resources: readonly Resource[], heard: readonly string[] = ['us-east', 'us-west']): FleetContext {
  const fleet = new FleetState(() => 1_000);
  fleet.setMembers([memberOf('us-east', { labels: { tier: 'prod' } }), memberOf('us-west')]);
  const shard = shardOf('us-east', 'reviews', ['HEALTHY', 'HEALTHY']);
  fleet.putShard('us-east', { ...shard, endpoints: shard.endpoints.map((one) => ({ ...one, labels: { version: 'v1' } })) });
  for (const name of heard) fleet.heard(name, 1_000);
  fleet.setListed();
  const edge = { ...proxyOf('ingress', 1), role: 'edge' as const, labels: { istio: 'ingress' } };
  const accounts = { get: (name: string) => (name === 'us-east' ? { status: statusOf(1, [edge]) } : undefined) };
  return { fleet, accounts, distribution: { desired: { resources } } } as unknown as FleetContext;
}

const to = (host: string, subset?: string) => ({ route: [{ destination: { host, ...(subset === undefined ? {} : { subset }) } }] });
const route = (name: string, ...http: object[]): Resource => policyOf('VirtualService', name, { hosts: ['reviews'], http });
const rule = (...subsets: string[]): Resource => ({
  ...policyOf('DestinationRule', 'r', { host: 'reviews', subsets: subsets.map((version) => ({ name: version, labels: { version } })) }),
  apiVersion: 'networking.istio.io/v1',
});
const codes = (found: readonly { code: string; name: string }[]): string[] => found.map(({ code, name }) => `${code} ${name}`);

describe('the analysis of a fleet', () => {
  it('looks at what is stored, with services, labels of endpoints, clusters and edge proxies', () => {
    const gateway = (istio: string): Resource => ({
      ...policyOf('Gateway', istio, {
        selector: { istio },
        servers: [{ port: { number: 80, name: 'http', protocol: 'HTTP' }, hosts: ['*'], tls: { httpsRedirect: true } }],
      }),
      apiVersion: 'networking.istio.io/v1',
    });
    const nowhere = policyOf('FailoverPolicy', 'f', { order: ['mars'] }, { 'hawser.dev/clusters': 'tier=test' });
    const stored = [route('v', to('nobody'), to('reviews', 'v1')), rule('v1', 'v2'), gateway('ingress'), gateway('egress'), nowhere];
    expect(codes(analysisOf(contextOf(stored), []))).toEqual(
      expect.arrayContaining(['HW0103 v', 'HW0201 v', 'HW0106 r', 'HW0107 r', 'HW0601 egress', 'HW0501 f', 'HW0503 f']),
    );
    expect(codes(analysisOf(contextOf(stored), []))).not.toContain('HW0601 ingress');
  });

  it('says of what is written what it is, and what it would newly cause elsewhere', () => {
    const stored = [route('v', to('reviews', 'v1'), to('nobody')), rule('v1')];
    expect(codes(analysisOf(contextOf(stored), [rule('v2')]))).toEqual(['HW0105 v', 'HW0106 r', 'HW0107 r']);
    expect(warningsOf(contextOf(stored), [rule('v2'), undefined]).map(codes)).toEqual([['HW0106 r'], []]);
  });

  it('concludes nothing of services while a cluster has not been heard', () => {
    expect(codes(analysisOf(contextOf([route('v', to('nobody'))], ['us-east']), []))).toEqual([]);
  });
});
