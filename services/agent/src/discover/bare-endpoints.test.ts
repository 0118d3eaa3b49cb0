/** Who has a sidecar, by labels. */
import { describe, expect, test } from 'vitest';
import { isBare } from './bare-endpoints.ts';

const TLS = 'security.istio.io/tlsMode';

describe.each([
  ['nothing', {}, { gatewayMode: true, otherwise: false }],
  ['Istio: in plain', { [TLS]: 'disabled' }, { gatewayMode: true, otherwise: true }],
  ['Istio: by a sidecar', { [TLS]: 'istio' }, { gatewayMode: false, otherwise: false }],
  ['what injection says', { 'hawser.dev/sidecar': 'default.12ab' }, { gatewayMode: false, otherwise: false }],
  ['both words', { 'hawser.dev/sidecar': 'default.12ab', [TLS]: 'disabled' }, { gatewayMode: true, otherwise: true }],
])('a workload whose labels say %s', (_, labels, expected) => {
  test(`is ${expected.gatewayMode ? '' : 'not '}bare in gateway mode`, () => {
    expect(isBare(labels, { gatewayMode: true })).toBe(expected.gatewayMode);
  });
  test(`is ${expected.otherwise ? '' : 'not '}bare without it`, () => {
    expect(isBare(labels, { gatewayMode: false })).toBe(expected.otherwise);
  });
});

test('a machine that registered itself did so by its sidecar', () => {
  expect(isBare({}, { gatewayMode: true, annotations: { 'hawser.dev/sidecar': 'joined' } })).toBe(false);
});
