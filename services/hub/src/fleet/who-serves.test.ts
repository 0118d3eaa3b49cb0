import type { EndpointShard } from '@hawser/model/endpoint-shard.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { describe, expect, it } from 'vitest';
import { memberOf, policyOf, shardOf } from './fleet-fixture.ts';
import { summaryOf } from './shard-summary.ts';
import { type WhoServesInput, whoServes } from './who-serves.ts';

const SERVICE = { namespace: 'bookinfo', service: 'ratings' };

function cluster(name: string, shard?: EndpointShard): WhoServesInput['clusters'][number] {
  return { member: memberOf(name), shard: shard === undefined ? undefined : summaryOf(shard), state: 'KNOWN' };
}

function ask(policies: readonly Resource[], changes: Partial<WhoServesInput> = {}) {
  const clusters = [
    cluster('eu-west', shardOf('eu-west', 'ratings', ['HEALTHY', 'UNHEALTHY'])),
    cluster('us-east'),
    cluster('us-west', shardOf('us-west', 'ratings', ['HEALTHY'])),
  ];
  return whoServes({ service: SERVICE, clusters, policies, from: 'us-east', ...changes });
}

/** `CLUSTER@PRIORITY`, in order. */
function order(policies: readonly Resource[], changes: Partial<WhoServesInput> = {}): string[] {
  return (ask(policies, changes).answers[0]?.localities ?? []).map((one) => `${one.cluster}@${one.priority}`);
}

const byOrder = policyOf('FailoverPolicy', 'ratings', { services: ['ratings'], order: ['us-west', 'eu-west'] });

describe('whoServes', () => {
  it('counts endpoints and healthy ones', () => {
    const eu = ask([]).answers[0]?.localities.find((one) => one.cluster === 'eu-west');
    expect(eu).toEqual({ cluster: 'eu-west', region: 'eu-west', priority: 0, weight: 2, endpoints: 2, healthy: 1, state: 'KNOWN' });
  });

  it('follows the policy of the service', () => {
    expect(order([byOrder])).toEqual(['us-west@0', 'eu-west@1']);
  });

  it('answers as if a place were drained, as agents would obey that', () => {
    expect(order([byOrder], { drained: { region: 'us-west' } })).toEqual(['eu-west@0']);
    expect(order([byOrder], { drained: { cluster: 'eu-west' } })).toEqual(['us-west@0']);
    expect(order([byOrder], { drained: { zone: 'us-west/a' } })).toEqual(['eu-west@0']);
    expect(order([byOrder], { drained: { gateway: 'us-west' } })).toEqual(['eu-west@0']);
    expect(order([byOrder], { from: 'us-west', drained: { gateway: 'us-west' } })).toEqual(['us-west@0', 'eu-west@1']);
    const west: Resource = { ...policyOf('Drain', 'west', { scope: { region: 'us-west' }, percent: 100 }), metadata: { name: 'west' } };
    // Nobody else serves: then what is drained does.
    expect(order([byOrder, west], { drained: { region: 'eu-west' } })).toEqual(['eu-west@0', 'us-west@0']);
  });

  it('answers as if a region were gone', () => {
    expect(order([byOrder], { without: 'us-west' })).toEqual(['eu-west@0']);
  });

  it('leaves out policies that are not placed on the client', () => {
    const elsewhere = policyOf('FailoverPolicy', 'ratings', byOrder.spec, { 'hawser.dev/clusters': 'region=eu-west' });
    expect(order([elsewhere])).toEqual(['eu-west@0', 'us-west@0']);
  });

  it('weighs regions by a shift, and keeps the rest below', () => {
    const shift = policyOf('TrafficShift', 'ratings', { services: ['ratings'], regions: { 'eu-west': 100 } });
    expect(order([byOrder, shift])).toEqual(['eu-west@0', 'us-west@1']);
  });

  it('follows the DestinationRule that agents follow, where no policy of our own says otherwise', () => {
    const rule = (setting: object, host = 'ratings') =>
      policyOf('DestinationRule', `rule-${host.length}`, { host, trafficPolicy: { loadBalancer: { localityLbSetting: setting } } });
    const failover = rule({ failover: [{ from: 'us-east', to: 'us-west' }] });
    expect(order([failover])).toEqual(['us-west@0', 'eu-west@1']);
    expect(order([failover, rule({ enabled: false }, '*.bookinfo.svc.cluster.local')])).toEqual(['us-west@0', 'eu-west@1']);
    expect(order([rule({ enabled: false }, '*.bookinfo.svc.cluster.local')])).toEqual(['eu-west@0', 'us-west@0']);
    expect(order([rule({ failoverPriority: ['topology.istio.io/cluster=eu-west'] })])).toEqual(['eu-west@0', 'us-west@1']);
    expect(order([rule({ distribute: [{ from: 'us-east', to: { 'us-west': 100 } }] })])).toEqual(['us-west@0']);
    expect(order([failover, policyOf('FailoverPolicy', 'ratings', { order: ['eu-west'] })])).toEqual(['eu-west@0', 'us-west@1']);
  });

  it('answers for every cluster, or for the one asked for', () => {
    expect(ask([], { from: undefined }).answers.map((one) => one.from)).toEqual(['eu-west', 'us-east', 'us-west']);
    expect(ask([]).answers.map((one) => one.from)).toEqual(['us-east']);
  });
});
