import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Document, open, PROTOCOL, seal } from './envelope.ts';
import { generateSigner, signerFromPem, signerToPem, verifierOf } from './signing.ts';

const signer = generateSigner();
const verifier = verifierOf(signer.publicKey);
const document: Document = {
  ...{ protocol: PROTOCOL, from: 'us-east', to: '*', key: 'shard.bookinfo.reviews', epoch: 3, revision: 17, part: 0, parts: 1 },
  body: { endpoints: [{ address: '10.0.0.1' }] },
};

describe('a sealed document', () => {
  it('opens to what was sealed, whatever the body', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (body) => {
        const sent = { ...document, body };
        expect(open(seal(sent, signer), () => verifier)).toEqual(JSON.parse(JSON.stringify(sent)));
      }),
    );
  });

  it('is refused with any one byte flipped', () => {
    const sealed = seal(document, signer);
    for (let index = 0; index < sealed.length; index += 1) {
      const broken = Buffer.from(sealed);
      broken[index] = (broken[index] ?? 0) ^ 1;
      expect(
        open(broken, () => verifier),
        `byte ${index}`,
      ).toBeTypeOf('string');
    }
  });

  it('is refused when cut short or lengthened', () => {
    const sealed = seal(document, signer);
    for (let length = 0; length < sealed.length; length += 1) expect(open(sealed.subarray(0, length), () => verifier)).toBeTypeOf('string');
    expect(open(Buffer.concat([sealed, Buffer.from(' ')]), () => verifier)).toBe('bad-signature');
  });

  it('is refused from an unknown signer, by another’s signature and in another protocol', () => {
    const sealed = seal(document, signer);
    expect(open(sealed, () => undefined)).toBe('unknown-signer');
    expect(open(sealed, () => verifierOf(generateSigner().publicKey))).toBe('bad-signature');
    expect(open(seal({ ...document, protocol: PROTOCOL + 1 }, signer), () => verifier)).toBe('protocol');
  });

  it('asks for the key of the claimed publisher and epoch', () => {
    const asked: unknown[] = [];
    open(seal(document, signer), (...claim) => {
      asked.push(claim);
      return undefined;
    });
    expect(asked).toEqual([['us-east', 3]]);
  });

  it.each([
    ['no epoch', { ...document, epoch: 0 }],
    ['a fraction of a revision', { ...document, revision: 1.5 }],
    ['no parts', { ...document, parts: 0 }],
    ['no key', { ...document, key: undefined }],
  ])('with %s is malformed though signed', (_case, wrong) => {
    expect(open(seal(wrong as Document, signer), () => verifier)).toBe('malformed');
  });

  it('survives any bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => typeof open(bytes, () => verifier) === 'string'));
  });
});

describe('a signing key', () => {
  it('is the same after its PEM was stored', () => {
    const again = signerFromPem(signerToPem(signer));
    expect(again.publicKey).toBe(signer.publicKey);
    expect(open(seal(document, again), () => verifier)).toEqual(document);
  });

  it('of another kind is refused', () => {
    expect(() => signerFromPem('nonsense')).toThrow();
    expect(() => verifierOf('short')).toThrow();
  });
});
