import { describe, expect, it } from 'vitest';
import { loadHubConfig } from './config.ts';

describe('the hub’s configuration', () => {
  it('has defaults, takes the environment, and flags win', () => {
    const config = loadHubConfig(
      { port: '9090', address: '127.0.0.2' },
      { HAWSER_HUB_PORT: '7070', HAWSER_NATS_PORT: '4333', HAWSER_TOKEN: 'x' },
    );
    expect(config).toMatchObject({
      port: 9090,
      address: '127.0.0.2',
      natsPort: 4333,
      postgresPort: 5432,
      publicUrl: 'http://127.0.0.2:9090',
    });
    expect(config.stateDir).toMatch(/^\/.*\.hawser$/);
    expect(Object.isFrozen(config)).toBe(true);
  });

  it.each([
    [{ prot: '1' }, {}, '--prot'],
    [{}, { HAWSER_HUB_PROT: '1' }, 'HAWSER_HUB_PROT'],
    [{ port: 'eighty' }, {}, '--port (HAWSER_HUB_PORT)'],
    [{}, { HAWSER_DATABASE_URL: 'mysql://x' }, '--database-url (HAWSER_DATABASE_URL)'],
    [{ publicUrl: 'ftp://x' }, {}, '--public-url'],
    [{ natsPort: '70000' }, {}, '--nats-port'],
  ])('%j %j is refused by name', (flags, env, words) => {
    expect(() => loadHubConfig(flags, env)).toThrowError(
      expect.objectContaining({ code: 'config-invalid', message: expect.stringContaining(words) }),
    );
  });
});
