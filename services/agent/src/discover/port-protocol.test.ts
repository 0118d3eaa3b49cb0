import { expect, test } from 'vitest';
import { spokenOn } from './port-protocol.ts';

test.each([
  [{ name: 'http' }, { protocol: 'http' }],
  [{ name: 'http-admin' }, { protocol: 'http' }],
  [{ name: 'http2-api' }, { protocol: 'http2' }],
  [{ name: 'grpc' }, { protocol: 'http2' }],
  [{ name: 'grpc-web' }, { protocol: 'http2', application: 'grpc-web' }],
  [{ name: 'grpc-web-ui' }, { protocol: 'http2', application: 'grpc-web' }],
  [{ name: 'grpc-webby' }, { protocol: 'http2' }],
  [{ name: 'https' }, { protocol: 'tcp', application: 'tls' }],
  [{ name: 'tls-db' }, { protocol: 'tcp', application: 'tls' }],
  [{ name: 'tcp' }, { protocol: 'tcp' }],
  [{ name: 'mysql-main' }, { protocol: 'tcp' }],
  [{ name: 'mongo' }, { protocol: 'tcp' }],
  [{ name: 'redis' }, { protocol: 'tcp' }],
  [{ appProtocol: 'http', name: 'tcp' }, { protocol: 'http' }],
  [{ appProtocol: 'kubernetes.io/h2c' }, { protocol: 'http2' }],
  [{ appProtocol: 'kubernetes.io/ws' }, { protocol: 'http' }],
  [{ appProtocol: 'kubernetes.io/wss' }, { protocol: 'tcp', application: 'tls' }],
  [{ appProtocol: 'GRPC' }, { protocol: 'http2' }],
  [{ appProtocol: 'nats.io/client', name: 'tcp-client' }, { protocol: 'tcp' }],
  [{ appProtocol: 'nats.io/client' }, { protocol: 'http', application: 'auto' }],
  [{ name: 'httpx' }, { protocol: 'http', application: 'auto' }],
  [{ name: 'constructor' }, { protocol: 'http', application: 'auto' }],
  [{}, { protocol: 'http', application: 'auto' }],
] as const)('%j speaks %j', (words, spoken) => {
  expect(spokenOn(words)).toEqual(spoken);
});
