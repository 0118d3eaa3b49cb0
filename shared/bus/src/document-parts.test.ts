import { MAX_MESSAGE_BYTES, open } from '@hawser/wire/envelope.ts';
import { generateSigner, verifierOf } from '@hawser/wire/signing.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PartCollector, parsePartKey, partKey, sealParts, type WholeDocument } from './document-parts.ts';

const signer = generateSigner();
const verifier = verifierOf(signer.publicKey);
const head = { from: 'a', to: '*', key: 'shard.a.b', epoch: 1, revision: 5 };

function collect(collector: PartCollector, messages: readonly Uint8Array[]): (WholeDocument | string | undefined)[] {
  return messages.map((raw) => {
    const document = open(raw, () => verifier);
    if (typeof document === 'string') throw new Error(document);
    return collector.add(document, raw);
  });
}

describe('sealParts', () => {
  it('keeps every message within the limit, even when each character takes three bytes or an escape', () => {
    for (const unit of ['x', '"', '\\', '€', '😀', '\u0001', '\ud800']) {
      const messages = sealParts(head, { text: unit.repeat(200_000) }, signer);
      expect(Math.max(...messages.map((message) => message.length)), unit).toBeLessThanOrEqual(MAX_MESSAGE_BYTES);
    }
  });

  it('is one message whenever that fits', () => {
    expect(sealParts(head, { text: 'x'.repeat(MAX_MESSAGE_BYTES - 400) }, signer)).toHaveLength(1);
    expect(sealParts(head, { text: 'x'.repeat(MAX_MESSAGE_BYTES) }, signer).length).toBeGreaterThan(1);
  });
});

describe('PartCollector', () => {
  const body = { text: 'a"€\\😀'.repeat(80_000) };
  const messages = sealParts(head, body, signer);

  it('has the whole with the last part, in whatever order they come', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(messages, { minLength: messages.length }), (order) => {
        const results = collect(new PartCollector(), order);
        expect(results.slice(0, -1).every((result) => result === undefined)).toBe(true);
        expect(results.at(-1)).toMatchObject({ document: { body, part: 0, parts: 1 }, raw: messages });
      }),
      { numRuns: 10 },
    );
  });

  it('never mixes revisions: the newest wins', () => {
    const newer = sealParts({ ...head, revision: 6 }, { text: `${body.text}!` }, signer);
    const mixed = [...messages.slice(0, 2), newer[0] ?? Buffer.from(''), ...messages.slice(2), ...newer.slice(1)];
    const wholes = collect(new PartCollector(), mixed).filter((result) => result !== undefined);
    expect(wholes).toEqual([expect.objectContaining({ document: expect.objectContaining({ revision: 6 }) })]);
  });
});

it('part keys are told from keys, whatever resources are named', () => {
  for (const key of ['digest', 'shard.a.b', 'policy.virtualservices.a.b/c']) {
    expect(parsePartKey(key)).toEqual({ key, part: 0 });
    expect(parsePartKey(partKey(key, 12))).toEqual({ key, part: 12 });
  }
  expect(parsePartKey('shard.a.~x')).toEqual({ key: 'shard.a.~x', part: 0 });
});
