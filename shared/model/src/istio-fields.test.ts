import { describe, expect, it } from 'vitest';
import { isIstioField } from './istio-fields.ts';

const spec = {
  hosts: ['a'],
  gateways: ['x'],
  foo: 1,
  tls: [],
  http: [
    {
      route: [{ destination: { host: 'a' }, headers: {} }],
      fault: {},
      bar: 1,
      match: [{ uri: { exact: 'a', zed: 1 }, withoutHeaders: {}, headers: { who: { exact: 'a' } } }],
    },
  ],
};

describe('the fields of Istio', () => {
  it.each([
    [['gateways'], true],
    [['tls'], true],
    [['foo'], false],
    [['toString'], false],
    [['http', 0, 'fault'], true],
    [['http', 0, 'bar'], false],
    [['http', 0, 'match', 0, 'withoutHeaders'], true],
    [['http', 0, 'match', 0, 'nah'], false],
    [['http', 0, 'match', 0, 'uri', 'zed'], false],
    [['http', 0, 'route', 0, 'headers'], true],
  ] as const)('VirtualService spec %j: %s', (steps, expected) => {
    expect(isIstioField('VirtualService', spec, steps)).toBe(expected);
  });

  it('are known for DestinationRule too, and for no other kind', () => {
    const rule = { host: 'x', trafficPolicy: {}, subsets: [{ name: 'v', trafficPolicy: {}, z: 1 }] };
    expect(isIstioField('DestinationRule', rule, ['trafficPolicy'])).toBe(true);
    expect(isIstioField('DestinationRule', rule, ['subsets', 0, 'trafficPolicy'])).toBe(true);
    expect(isIstioField('DestinationRule', rule, ['subsets', 0, 'z'])).toBe(false);
    expect(isIstioField('TrafficShift', { regions: {} }, ['regions'])).toBe(false);
  });

  it('are found although the rest of the spec is broken', () => {
    expect(isIstioField('VirtualService', { http: [{ route: 'nonsense', fault: {} }], hosts: 3 }, ['http', 0, 'fault'])).toBe(true);
  });
});
