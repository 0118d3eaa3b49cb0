import { expect, it } from 'vitest';
import { canonicalIp } from './canonical-ip.ts';

it.each([
  ['FD00:0:0:0::1', 'fd00::1'],
  ['fd00:0db8:0000:0:1:0:0:1', 'fd00:db8::1:0:0:1'],
  ['0:0:0:0:0:0:0:1', '::1'],
  ['::FFFF:10.0.0.1', '::ffff:10.0.0.1'],
  ['::ffff:a00:1', '::ffff:10.0.0.1'],
  ['fd00::1', 'fd00::1'],
  ['10.0.0.1', '10.0.0.1'],
  ['none', 'none'],
])('%s is %s', (text, canonical) => {
  expect(canonicalIp(text)).toBe(canonical);
});
