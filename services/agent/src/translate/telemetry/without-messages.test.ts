import { expect, test } from 'vitest';
import { COUNTS_MESSAGES, WAS_COUNTED } from './grpc-messages.ts';
import { httpSwitch, tcpSwitch } from './log-switch.ts';
import type { Observers } from './proxy-telemetry.ts';
import { withoutMessages } from './without-messages.ts';

const OTHER = httpSwitch('SERVER');
const observers: Observers = {
  http: () => ({
    ...{ accessLog: [{ name: 'all' }, { name: 'messages', filter: WAS_COUNTED }], lastFilters: [OTHER, COUNTS_MESSAGES] },
    ...{ upstreamLog: [], tracing: undefined, requestIds: undefined, filters: [], connectionFilters: [] },
  }),
  tcp: () => ({ accessLog: [], filters: [tcpSwitch('SERVER')] }),
};
const chain = { service: undefined, port: 80, isPlain: false };

test('what counts messages is gone, all else is as it was, and the same observers stay the same', () => {
  const { accessLog, lastFilters, ...others } = withoutMessages(observers).http('SERVER', chain);
  expect([accessLog, lastFilters]).toEqual([[{ name: 'all' }], [OTHER]]);
  expect(observers.http('SERVER', chain)).toMatchObject(others);
  expect(withoutMessages(observers).tcp('SERVER', chain)).toEqual(observers.tcp('SERVER', chain));
  expect(withoutMessages(observers)).toBe(withoutMessages(observers));
});
