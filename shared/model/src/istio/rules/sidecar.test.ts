/** What Sidecars must be beyond their shape. */
import { expect, it } from 'vitest';
import { sidecarProblems } from './sidecar.ts';

const port = { number: 80, protocol: 'HTTP', name: 'http' };

it.each([
  ['a port of each protocol', { egress: [{ port, hosts: ['./*'] }], ingress: [{ port, defaultEndpoint: '127.0.0.1:8080' }] }],
  [
    'endpoints of every form',
    { ingress: ['0.0.0.0:80', '[::1]:80', ':80', 'unix:///a'].map((defaultEndpoint) => ({ port, defaultEndpoint })) },
  ],
])('takes %s', (_what, spec) => {
  expect(sidecarProblems(spec, 'bookinfo')).toEqual([]);
});

it.each([
  ['a protocol that is none', { egress: [{ port: { ...port, protocol: 'HTPT' }, hosts: ['./*'] }] }, 'egress.0.port.protocol'],
  ['a port that is taken in as nothing known', { ingress: [{ port: { ...port, protocol: 'UDP' } }] }, 'ingress.0.port.protocol'],
  ['a port that is none', { ingress: [{ port: { number: 0 } }] }, 'ingress.0.port.number'],
  ['an endpoint by name', { ingress: [{ port, defaultEndpoint: 'localhost:8080' }] }, 'ingress.0.defaultEndpoint'],
])('refuses %s', (_what, spec, place) => {
  expect(sidecarProblems(spec, 'bookinfo').map(({ steps }) => steps.join('.'))).toEqual([place]);
});
