import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clusterUserJwt, createOperator, createUserKey } from '@hawser/bus/nats-accounts.ts';
import { expect, it } from 'vitest';
import { openAuthority } from '../trust/open-authority.ts';
import { credentialsValidity, endsOf, rootValidity } from './validity.ts';

const HOUR_MS = 3_600_000;

it('is read from real credentials and a real root', async () => {
  const operator = await createOperator();
  const until = new Date(Date.now() + HOUR_MS);
  const natsJwt = await clusterUserJwt(operator, { cluster: 'us-east', userPublicKey: createUserKey().publicKey, expiresAt: until });
  const credentials = credentialsValidity({ natsJwt, natsJwtExpiresAt: until.toISOString() });
  expect(credentials).toMatchObject({ of: 'credentials', until: until.toISOString() });
  expect(Math.abs(Date.parse(credentials.from) - Date.now())).toBeLessThan(HOUR_MS / 2);
  const folder = await mkdtemp(join(tmpdir(), 'hawser-validity-'));
  const { trustBundle } = await openAuthority(folder, 'us-east.hawser');
  const root = rootValidity(trustBundle);
  expect(Date.parse(root.from)).toBeLessThan(Date.now());
  expect(Date.parse(root.until)).toBeGreaterThan(Date.now() + 24 * HOUR_MS);
  expect(endsOf([credentials, root])).toEqual({ credentials: until.getTime(), root: Date.parse(root.until) });
  await rm(folder, { recursive: true });
});

it.each(['', 'a.b.c', 'e30.e30.'])('has no beginning where the JWT tells of none: %s', (natsJwt) => {
  expect(credentialsValidity({ natsJwt, natsJwtExpiresAt: '2030-01-01T00:00:00Z' }).from).toBe('');
});
