import { expect, test } from 'vitest';
import { clientVersion } from './client-version.ts';

type Said = NonNullable<Parameters<typeof clientVersion>[0]>;

const build = (majorNumber: number, minorNumber: number, patch: number): Said['userAgentVersionType'] =>
  ({ case: 'userAgentBuildVersion', value: { version: { majorNumber, minorNumber, patch } } }) as Said['userAgentVersionType'];
const free = (value: string): Said['userAgentVersionType'] => ({ case: 'userAgentVersion', value });

test.each<[string, Said | undefined, string | undefined]>([
  ['Envoy', { userAgentName: 'envoy', userAgentVersionType: build(1, 37, 0) }, '1.37.0'],
  ['gRPC', { userAgentName: 'gRPC Java', userAgentVersionType: free('1.72.0') }, 'gRPC Java 1.72.0'],
  ['one with control characters', { userAgentName: 'x', userAgentVersionType: free('\u001b[31m1') }, 'x [31m1'],
  ['one that tells much', { userAgentName: 'envoy', userAgentVersionType: free('9'.repeat(100)) }, '9'.repeat(64)],
  ['one that tells nothing', { userAgentName: '', userAgentVersionType: { case: undefined } }, undefined],
  ['one without a node', undefined, undefined],
])('a client says what it is: %s', (_, node, shown) => {
  expect(clientVersion(node)).toBe(shown);
});
