import { PROTOCOL } from '@hawser/wire/envelope.ts';
import { describe, expect, it } from 'vitest';
import { LiveKeys } from './live-keys.ts';
import { OwnerLedger } from './owner-ledger.ts';

const document = (key: string, revision: number) =>
  ({ protocol: PROTOCOL, from: 'us-west', to: '*', key, epoch: 1, revision, part: 0, parts: 1, body: {} }) as const;

/** Takes each key as a message of the stream, then the digest over them. */
function hear(ledger: OwnerLedger, keys: Readonly<Record<string, number>>): void {
  for (const [key, revision] of Object.entries(keys)) {
    if (!ledger.recognise(key, `${key} ${revision}`)) ledger.judge(document(key, revision), Buffer.of(), () => `${key} ${revision}`);
  }
}

function digest(ledger: OwnerLedger, keys: Readonly<Record<string, number>>, revision: number): readonly string[] {
  const live = new LiveKeys();
  for (const [key, of] of Object.entries(keys)) live.set(key, of);
  ledger.hearDigest({ epoch: 1, revision }, live.digest(), `digest ${revision}`);
  return ledger.check() ? ledger.takeAbsent() : ['(it differs)'];
}

describe('a digest after which nothing more was heard of its owner', () => {
  it('proves nothing gone that is newer than it, when the stream is listed again', () => {
    const ledger = new OwnerLedger();
    hear(ledger, { facts: 1, reviews: 2 });
    expect(digest(ledger, { facts: 1, reviews: 2 }, 2)).toEqual([]);
    hear(ledger, { ratings: 3 });
    // The owner is cut off here, before its next digest: on the stream, the older one comes before what is newer.
    ledger.beginListing();
    hear(ledger, { facts: 1, reviews: 2 });
    expect(digest(ledger, { facts: 1, reviews: 2 }, 2)).toEqual([]);
    hear(ledger, { ratings: 3 });
    expect(digest(ledger, { facts: 1, reviews: 2, ratings: 3 }, 3)).toEqual([]);
  });

  it('proves gone what its owner had before it, and does not have in it', () => {
    const ledger = new OwnerLedger();
    hear(ledger, { facts: 1, reviews: 2, ratings: 3 });
    expect(digest(ledger, { facts: 1, reviews: 2, ratings: 3 }, 3)).toEqual([]);
    ledger.beginListing();
    hear(ledger, { facts: 1, reviews: 2 });
    expect(digest(ledger, { facts: 1, reviews: 2 }, 4)).toEqual(['ratings']);
  });
});

it('what is held counts while something else stands in its place, until its owner says more', () => {
  const ledger = new OwnerLedger();
  hear(ledger, { facts: 1, reviews: 2 });
  expect(digest(ledger, { facts: 1, reviews: 2 }, 2)).toEqual([]);
  ledger.beginListing();
  hear(ledger, { facts: 1 });
  ledger.keep('reviews');
  ledger.keep('nobody');
  expect(digest(ledger, { facts: 1, reviews: 2 }, 3)).toEqual([]);
  expect(digest(ledger, { facts: 1, reviews: 4 }, 4)).toEqual(['(it differs)']);
});
