import { expect, it } from 'vitest';
import { gatewayProblems } from './gateway.ts';

const port = { number: 443, name: 'https', protocol: 'HTTPS' };
const server = {
  port,
  hosts: ['a.example.com', '*', '*.example.com', './b', 'ns/*.c.org'],
  tls: { mode: 'SIMPLE' as const, credentialName: 'site' },
};

it('takes what Istio takes', () => {
  const plain = { port: { number: 80, name: 'http', protocol: 'HTTP' }, hosts: ['*'], tls: { httpsRedirect: true } };
  const socket = { port: { number: 0, name: 'http', protocol: 'HTTP' }, hosts: ['*'], bind: 'unix:///run/a.sock' };
  expect(gatewayProblems({ selector: { istio: 'ingressgateway' }, servers: [server, plain, socket] })).toEqual([]);
});

it.each([
  ['no servers', { servers: [] }, 'servers'],
  ['no hosts', { servers: [{ ...server, hosts: [] }] }, 'servers.0.hosts'],
  ['a host that is none', { servers: [{ ...server, hosts: ['a b'] }] }, 'servers.0.hosts.0'],
  ['an unknown protocol', { servers: [{ ...server, port: { ...port, protocol: 'UDP' } }] }, 'servers.0.port.protocol'],
  ['a port out of range', { servers: [{ ...server, port: { ...port, number: 70_000 } }] }, 'servers.0.port.number'],
  ['HTTPS without TLS', { servers: [{ port, hosts: ['*'] }] }, 'servers.0.tls'],
  ['no certificate', { servers: [{ ...server, tls: { mode: 'SIMPLE' as const } }] }, 'servers.0.tls'],
  ['two ways to a certificate', { servers: [{ ...server, tls: { ...server.tls, credentialNames: ['b'] } }] }, 'servers.0.tls'],
  ['half a pair', { servers: [{ ...server, tls: { mode: 'SIMPLE' as const, privateKey: '/k' } }] }, 'servers.0.tls'],
  [
    'nothing to check clients by',
    { servers: [{ ...server, tls: { mode: 'MUTUAL' as const, serverCertificate: '/c', privateKey: '/k' } }] },
    'servers.0.tls.caCertificates',
  ],
  ['an endpoint elsewhere', { servers: [{ ...server, defaultEndpoint: '10.0.0.1:80' }] }, 'servers.0.defaultEndpoint'],
  [
    'a name twice',
    {
      servers: [
        { ...server, name: 'a' },
        { ...server, name: 'a' },
      ],
    },
    'servers.1.name',
  ],
])('refuses %s, and names the field', (_what, spec, field) => {
  expect(gatewayProblems(spec).map(({ steps }) => steps.join('.'))).toEqual([field]);
});
