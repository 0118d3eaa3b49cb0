import { describe, expect, it } from 'vitest';
import { checkClaims } from './node-claims.ts';

const identity = { cluster: 'us-east', namespace: 'ingress', serviceAccount: 'edge', edge: true };
const claims = { role: 'edge', address: '10.0.0.1', name: 'ingress-1', cluster: 'us-east', namespace: 'ingress', serviceAccount: 'edge' };

it('takes an edge proxy with its labels, in the order of their names', () => {
  const proxy = checkClaims({ ...claims, labels: { istio: 'ingressgateway', app: 'edge' } }, identity);
  expect(proxy).toMatchObject({ role: 'edge', namespace: 'ingress' });
  expect(JSON.stringify(typeof proxy === 'string' ? {} : proxy.labels)).toBe('{"app":"edge","istio":"ingressgateway"}');
});

it('knows a proxy by the one text of its address', () => {
  expect(checkClaims({ ...claims, address: 'FD00:0:0::1' }, identity)).toMatchObject({ address: 'fd00::1' });
});

it('refuses an edge proxy whose token is not for one: it would be given certificates', () => {
  expect(checkClaims(claims, { ...identity, edge: false })).toContain('not for an edge proxy');
});

it('takes that a proxy fetches upstreams, and no other word for it', () => {
  expect(checkClaims({ ...claims, onDemand: 'upstreams' }, identity)).toMatchObject({ fetchesUpstreams: true });
  expect(checkClaims(claims, identity)).not.toHaveProperty('fetchesUpstreams');
  expect(checkClaims({ ...claims, onDemand: true }, identity)).toContain('node.metadata.onDemand is true, expected upstreams');
});

it('takes where its workload calls it on loopback alone: who calls there speaks in its name', () => {
  expect(checkClaims({ ...claims, outboundAddress: '127.0.0.7' }, identity)).toMatchObject({ outboundAddress: '127.0.0.7' });
  expect(checkClaims(claims, identity)).not.toHaveProperty('outboundAddress');
  for (const outboundAddress of ['10.0.0.1', 'localhost', 7])
    expect(checkClaims({ ...claims, outboundAddress }, identity)).toContain('expected an address of loopback');
});

describe('an outbound gateway', () => {
  const account = { namespace: 'hawser-system', serviceAccount: 'hawser-outbound' };
  const proven = { cluster: 'us-east', ...account, outboundGateway: true as const };
  const said = { ...claims, ...account, role: 'sidecar', outboundGateway: true };

  it('is taken at its own address, where its account may be one', () => {
    expect(checkClaims(said, proven)).toMatchObject({ role: 'sidecar', address: '10.0.0.1', outboundGateway: true });
    expect(checkClaims({ ...said, outboundGateway: undefined }, proven)).not.toHaveProperty('outboundGateway');
  });

  it.each<[string, object, object, string]>([
    [
      'another account',
      { ...said },
      { ...proven, outboundGateway: undefined },
      'the token is for hawser-system/hawser-outbound: the agent',
    ],
    ['no word for it', { ...said, outboundGateway: 'yes' }, proven, 'node.metadata.outboundGateway is "yes", expected true'],
    ['an edge proxy', { ...said, role: 'edge' }, { ...proven, edge: true }, 'is for a sidecar without capture or outboundAddress'],
    ['a captured workload', { ...said, capture: 'ipv4' }, proven, 'is for a sidecar without capture or outboundAddress'],
    ['another address', { ...said, outboundAddress: '127.0.0.7' }, proven, 'is for a sidecar without capture or outboundAddress'],
    [
      'an address of the network alone',
      { ...said, outboundGateway: undefined, outboundAddress: '10.0.0.1' },
      proven,
      'expected an address of loopback',
    ],
  ])('is refused: %s', (_what, metadata, identity, message) => {
    expect(checkClaims({ ...metadata }, identity as typeof proven)).toContain(message);
  });
});
