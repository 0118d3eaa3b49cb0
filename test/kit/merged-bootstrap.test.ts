import { expect, it } from 'vitest';
import { mergedBootstrap } from './merged-bootstrap.ts';

/** A cluster, a listener on a port that leads to it and to one that is not there, and a secret. */
const one = (port: number) => ({
  node: { id: 'a' },
  static_resources: {
    clusters: [{ name: 'reviews' }],
    listeners: [{ name: 'in', address: { socket_address: { address: '10.0.0.1', port_value: port } }, to: ['reviews', 'nowhere'] }],
    secrets: [{ name: 'identity' }],
  },
});

it('keeps what bootstraps refer to apart, and their ports', () => {
  const part = (prefix: string, port: number) => ({
    clusters: { name: `${prefix}reviews` },
    listeners: {
      name: `${prefix}in`,
      address: { socket_address: { address: '10.0.0.1', port_value: port } },
      to: [`${prefix}reviews`, 'nowhere'],
    },
    secrets: { name: `${prefix}identity` },
  });
  const [first, second] = [part('0/', 1), part('1/', 2)];
  expect(mergedBootstrap([one(80), one(80)])).toEqual({
    node: { id: 'a' },
    static_resources: {
      clusters: [first.clusters, second.clusters],
      listeners: [first.listeners, second.listeners],
      secrets: [first.secrets, second.secrets],
    },
  });
});

it('leaves a port that cannot be one, for Envoy to refuse', () => {
  expect(JSON.stringify(mergedBootstrap([one(70_000)]))).toContain('"port_value":70000');
});
