import { describe, expect, it } from 'vitest';
import { requireLoopback } from './plain-listener.ts';

describe('requireLoopback', () => {
  it.each(['127.0.0.1', '127.77.1.1', '::1', 'localhost'])('lets %s pass', (address) => {
    expect(() => requireLoopback(address, '--address', { env: {} })).not.toThrow();
  });

  it.each(['0.0.0.0', '::', '10.0.0.1', 'hub.example'])('refuses %s, unless told otherwise', (address) => {
    expect(() => requireLoopback(address, '--address', { env: {} })).toThrow(/plain text/);
    expect(() => requireLoopback(address, '--address', { env: { HAWSER_ALLOW_PLAINTEXT: '1' } })).not.toThrow();
  });
});
