import { describe, expect, it } from 'vitest';
import { apiSpeaksTls, type HubFlags, loadHubConfig, natsSpeaksTls } from './config.ts';

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

  it('speaks TLS beyond loopback by itself, on loopback when told, and plain text there only by the operator’s word', () => {
    const doors = (flags: HubFlags, env = {}): [boolean, boolean, string] => {
      const config = loadHubConfig(flags, env);
      return [apiSpeaksTls(config), natsSpeaksTls(config), config.publicUrl];
    };
    expect(doors({})).toEqual([false, false, 'http://127.0.0.1:8080']);
    expect(doors({ tls: 'on' })).toEqual([true, true, 'https://127.0.0.1:8080']);
    expect(doors({ address: '10.0.0.1' })).toEqual([true, false, 'https://10.0.0.1:8080']);
    expect(doors({ address: '10.0.0.1', natsAddress: '10.0.0.1' })).toEqual([true, true, 'https://10.0.0.1:8080']);
    expect(doors({ tlsCert: 'c', tlsKey: 'k' })).toEqual([true, false, 'https://127.0.0.1:8080']);
    expect(doors({ address: '10.0.0.1' }, { HAWSER_ALLOW_PLAINTEXT: '1' })).toEqual([false, false, 'http://10.0.0.1:8080']);
    expect(doors({ address: '0.0.0.0', publicUrl: 'https://hub.example' })).toEqual([true, false, 'https://hub.example']);
  });

  const plain: [HubFlags, string][] = [
    [{ address: '10.0.0.1', tls: 'off' }, '--address (HAWSER_HUB_ADDRESS)'],
    [{ natsAddress: '0.0.0.0', publicUrl: 'https://hub.example', tls: 'off' }, '--nats-address (HAWSER_NATS_ADDRESS)'],
    [{ publicUrl: 'http://hub.example' }, '--public-url (HAWSER_HUB_PUBLIC_URL)'],
    [{ natsUrl: 'tls://a:4222,nats://b:4222' }, '--nats-url (HAWSER_NATS_URL)'],
    [{ databaseUrl: 'postgres://db/hawser' }, '--database-url (HAWSER_DATABASE_URL)'],
    [{ databaseUrl: 'postgres://db/hawser?sslmode=prefer' }, '--database-url (HAWSER_DATABASE_URL)'],
  ];
  it.each(plain)('refuses %j, which would be plain text beyond loopback', (flags, words) => {
    expect(() => loadHubConfig(flags, {})).toThrowError(
      expect.objectContaining({ code: 'plaintext-refused', message: expect.stringContaining(words) }),
    );
    expect(() => loadHubConfig(flags, { HAWSER_ALLOW_PLAINTEXT: '1' })).not.toThrow();
  });

  it.each(['postgres://db/hawser?sslmode=verify-full', 'postgres://127.0.0.1/hawser', 'postgres:///hawser?host=/var/run/postgresql'])(
    'takes the database at %s',
    (databaseUrl) => {
      expect(loadHubConfig({ databaseUrl }, {}).databaseUrl).toBe(databaseUrl);
    },
  );

  it.each([
    [{ prot: '1' }, {}, '--prot'],
    [{}, { HAWSER_HUB_PROT: '1' }, 'HAWSER_HUB_PROT'],
    [{ port: 'eighty' }, {}, '--port (HAWSER_HUB_PORT)'],
    [{}, { HAWSER_DATABASE_URL: 'mysql://x' }, '--database-url (HAWSER_DATABASE_URL)'],
    [{ publicUrl: 'ftp://x' }, {}, '--public-url'],
    [{ natsPort: '70000' }, {}, '--nats-port'],
    [{ tls: 'maybe' }, {}, '--tls (HAWSER_HUB_TLS)'],
    [{ tlsCert: 'c' }, {}, '--tls-cert and --tls-key belong together'],
    [{ address: '0.0.0.0' }, {}, '--public-url'],
    [{ tls: 'on', publicUrl: 'http://127.0.0.1:8080' }, {}, 'say https'],
  ])('%j %j is refused by name', (flags, env, words) => {
    expect(() => loadHubConfig(flags, env)).toThrowError(
      expect.objectContaining({ code: 'config-invalid', message: expect.stringContaining(words) }),
    );
  });
});
