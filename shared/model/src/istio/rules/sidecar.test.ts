/** What Sidecars must be beyond their shape. */
import { expect, it } from 'vitest';
import type { SidecarSpec } from '../specs.ts';
import { sidecarProblems } from './sidecar.ts';

const port = { number: 80, protocol: 'HTTP', name: 'http' };

it.each<[string, SidecarSpec]>([
  ['a port of each protocol', { egress: [{ port, hosts: ['./*'] }], ingress: [{ port, defaultEndpoint: '127.0.0.1:8080' }] }],
  [
    'endpoints of every form',
    {
      ingress: ['0.0.0.0:80', '[::1]:80', ':80', 'unix:///a'].map((defaultEndpoint, at) => ({
        port: { ...port, number: at + 1 },
        defaultEndpoint,
      })),
    },
  ],
  [
    'addresses of its own',
    {
      egress: [
        { port, bind: '10.0.0.1', captureMode: 'IPTABLES', hosts: ['./*'] },
        ...['unix:///run/a', 'unix://@a'].map((bind) => ({ port: { protocol: 'HTTP' }, bind, hosts: ['./*'] })),
      ],
      ingress: [{ port, bind: '::1', captureMode: 'NONE' }],
    },
  ],
  ['a proxy for what is let out', { outboundTrafficPolicy: { mode: 'ALLOW_ANY', egressProxy: { host: 'egress' } } }],
  ['a redirect of plain HTTP', { ingress: [{ port, tls: { httpsRedirect: true } }] }],
  [
    'TLS by Secrets for the workloads that it selects',
    { workloadSelector: { labels: { app: 'a' } }, ingress: [{ port, tls: { mode: 'SIMPLE', credentialName: 'site' } }] },
  ],
])('takes %s', (_what, spec) => {
  expect(sidecarProblems(spec, 'bookinfo')).toEqual([]);
});

it.each<[string, SidecarSpec, string]>([
  ['a protocol that is none', { egress: [{ port: { ...port, protocol: 'HTPT' }, hosts: ['./*'] }] }, 'egress.0.port.protocol'],
  ['a proxy for what is not let out', { outboundTrafficPolicy: { egressProxy: { host: 'egress' } } }, 'outboundTrafficPolicy.egressProxy'],
  ['a port that is taken in as nothing known', { ingress: [{ port: { ...port, protocol: 'UDP' } }] }, 'ingress.0.port.protocol'],
  ['a port that is none', { ingress: [{ port: { number: 0 } }] }, 'ingress.0.port.number'],
  ['an endpoint by name', { ingress: [{ port, defaultEndpoint: 'localhost:8080' }] }, 'ingress.0.defaultEndpoint'],
  ['an address by name', { egress: [{ port, bind: 'localhost', hosts: ['./*'] }] }, 'egress.0.bind'],
  ['an address without a port', { egress: [{ bind: '127.0.0.1', hosts: ['./*'] }] }, 'egress.0.port'],
  ['a port of a Unix domain socket', { egress: [{ port, bind: 'unix:///a', hosts: ['./*'] }] }, 'egress.0.port.number'],
  [
    'a Unix domain socket that is captured',
    { egress: [{ port: { protocol: 'HTTP' }, bind: 'unix:///a', captureMode: 'IPTABLES', hosts: ['./*'] }] },
    'egress.0.captureMode',
  ],
  [
    'one Unix domain socket for two',
    { egress: ['./*', 'shop/*'].map((host) => ({ port: { protocol: 'HTTP' }, bind: 'unix:///a', hosts: [host] })) },
    'egress.1.bind',
  ],
  ['a port of the sidecar', { ingress: [{ port: { ...port, number: 15006 } }] }, 'ingress.0.port.number'],
  ['calls that come to a Unix domain socket', { ingress: [{ port, bind: 'unix:///a' }] }, 'ingress.0.bind'],
  ['a port that comes twice', { ingress: [{ port }, { port }] }, 'ingress.1.port.number'],
  ['TLS that passes through', { ingress: [{ port, tls: { mode: 'PASSTHROUGH' } }] }, 'ingress.0.tls.mode'],
  ['TLS without a certificate', { ingress: [{ port, tls: { mode: 'SIMPLE' } }] }, 'ingress.0.tls'],
  ['keys for everybody', { ingress: [{ port, tls: { mode: 'SIMPLE', credentialName: 'a' } }] }, 'ingress.0.tls.credentialName'],
  ['a redirect of what is TLS', { ingress: [{ port, tls: { mode: 'SIMPLE', httpsRedirect: true } }] }, 'ingress.0.tls.httpsRedirect'],
  ['limits that are none', { inboundConnectionPool: { tcp: { idleTimeout: 'soon' } } }, 'inboundConnectionPool.tcp.idleTimeout'],
])('refuses %s', (_what, spec, place) => {
  expect(sidecarProblems(spec, 'bookinfo').map(({ steps }) => steps.join('.'))).toEqual([place]);
});
