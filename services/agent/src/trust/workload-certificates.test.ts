import pino from 'pino';
import { expect, test } from 'vitest';
import type { Authority, IssuedCertificate } from './authority.ts';
import { WorkloadCertificates } from './workload-certificates.ts';

const log = pino({ level: 'silent' });
const reviews = { name: 'reviews-1', namespace: 'bookinfo', serviceAccount: 'reviews' };

/** An authority that issues numbers, lives of `lifeMs`, and fails when told so. */
class FakeAuthority implements Pick<Authority, 'issue'> {
  issued = 0;
  failures = 0;
  generation = 'first';

  async issue(_identity: unknown, lifeMs = 60_000): Promise<IssuedCertificate> {
    if (this.failures > 0) {
      this.failures -= 1;
      throw new Error('disk full');
    }
    this.issued += 1;
    const now = Date.now();
    return {
      certificateChainPem: `certificate ${this.issued}`,
      privateKeyPem: 'key',
      generation: this.generation,
      notBefore: now,
      notAfter: now + lifeMs,
    };
  }
}

test('streams of one identity share a certificate; the last one takes it along', async () => {
  const authority = new FakeAuthority();
  const certificates = new WorkloadCertificates({ authority, log });
  const held = await Promise.all([1, 2, 3].map(() => certificates.hold(reviews, () => undefined)));
  const other = await certificates.hold({ ...reviews, serviceAccount: 'ratings' }, () => undefined);
  expect(authority.issued).toBe(2);
  expect(new Set(held.map(({ current }) => current)).size).toBe(1);
  expect(other.current.version).not.toBe(held[0]?.current.version);
  for (const each of held) each.release();
  for (const each of held) each.release();
  expect(certificates.size).toBe(1);
  other.release();
  expect(certificates.size).toBe(0);
});

test('a first certificate that cannot be issued is an error, and the next stream tries again', async () => {
  const authority = new FakeAuthority();
  authority.failures = 1;
  const certificates = new WorkloadCertificates({ authority, log });
  await expect(certificates.hold(reviews, () => undefined)).rejects.toThrow('disk full');
  expect(certificates.size).toBe(0);
  const held = await certificates.hold(reviews, () => undefined);
  expect(authority.issued).toBe(1);
  held.release();
});

test('renewal at half life tells every stream, and after a failure it is tried again with the old one in use', async () => {
  const authority = new FakeAuthority();
  const certificates = new WorkloadCertificates({ authority, log, lifeMs: 400, random: () => 0 });
  const renewed = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const held = await Promise.all(renewed.map(({ resolve }) => certificates.hold(reviews, resolve)));
  const first = held[0]?.current;
  authority.failures = 1;
  await Promise.all(renewed.map(({ promise }) => promise));
  expect(authority.failures).toBe(0);
  expect(held[0]?.current).not.toBe(first);
  expect(held[0]?.current).toBe(held[1]?.current);
  for (const each of held) each.release();
});
