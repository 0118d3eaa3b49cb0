import { expect, it } from 'vitest';
import { checkClaims } from './node-claims.ts';

const identity = { cluster: 'us-east', namespace: 'ingress', serviceAccount: 'edge', edge: true };
const claims = { role: 'edge', address: '10.0.0.1', name: 'ingress-1', cluster: 'us-east', namespace: 'ingress', serviceAccount: 'edge' };

it('takes an edge proxy with its labels, in the order of their names', () => {
  const proxy = checkClaims({ ...claims, labels: { istio: 'ingressgateway', app: 'edge' } }, identity);
  expect(proxy).toMatchObject({ role: 'edge', namespace: 'ingress' });
  expect(JSON.stringify(typeof proxy === 'string' ? {} : proxy.labels)).toBe('{"app":"edge","istio":"ingressgateway"}');
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
