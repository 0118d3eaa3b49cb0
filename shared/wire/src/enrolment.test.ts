import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeJoinToken, encodeJoinToken, enrollProof, type JoinTokenPayload, renewProof } from './enrolment.ts';

const payload: JoinTokenPayload = { v: 1, hub: 'http://127.0.0.1:7000', cluster: 'us-east', secret: 'hidden', pin: 'key' };

describe('a join token', () => {
  it('decodes to what was encoded, with white space around it', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (cluster, secret) => {
        const token = encodeJoinToken({ ...payload, cluster, secret });
        expect(decodeJoinToken(`\n ${token} \n`)).toEqual({ ...payload, cluster, secret });
      }),
    );
  });

  it.each(['', 'hawser1', 'hawser1.', 'hawser2.e30', 'e30', 'hawser1.!!!', `hawser1.${Buffer.from('{').toString('base64url')}`])(
    'is not %j',
    (token) => {
      expect(decodeJoinToken(token)).toBeUndefined();
    },
  );

  it('survives any text', () => {
    fc.assert(fc.property(fc.string(), (text) => decodeJoinToken(text) === undefined));
  });
});

describe('a proof', () => {
  const enroll = { cluster: 'us-east', secret: 's', signingKey: 'k', natsUser: 'U' };
  const renew = { cluster: 'us-east', epoch: 1, natsUser: 'U', at: '2026-01-01T00:00:00Z' };
  const texts = [
    enrollProof(enroll),
    ...Object.keys(enroll).map((field) => enrollProof({ ...enroll, [field]: 'other' })),
    renewProof(renew),
    renewProof({ ...renew, epoch: 2 }),
    ...['cluster', 'natsUser', 'at'].map((field) => renewProof({ ...renew, [field]: 'other' })),
  ].map((bytes) => Buffer.from(bytes).toString());

  it('covers every field, and one kind is never the other', () => {
    expect(new Set(texts).size).toBe(texts.length);
  });
});
