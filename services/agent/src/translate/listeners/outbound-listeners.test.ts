import { expect, it } from 'vitest';
import { jsonOf } from '../../../../../test/kit/golden-case.ts';
import { callersAddress, outboundListener } from './outbound-listeners.ts';

it.each([
  [{ address: '127.77.1.10' }, '127.77.1.10'],
  [{ address: '10.0.1.10' }, '127.0.0.1'],
  [{ address: 'fd00::1' }, '::1'],
  [{ address: '10.0.1.10', outboundAddress: '127.0.0.7' }, '127.0.0.7'],
  [{ address: '10.0.1.10', outboundGateway: true as const }, '10.0.1.10'],
])('takes the calls of the workload of %o on loopback alone, unless it is there for others, at %s', (proxy, at) => {
  expect(callersAddress(proxy)).toBe(at);
  const address = { socket_address: { address: at, port_value: 15_001 } };
  expect(jsonOf(outboundListener(callersAddress(proxy)))).toMatchObject({ address });
});
