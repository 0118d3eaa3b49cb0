/** Every step of a rotation over the generations, as pure values. */
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { makeIntermediate, makeRoot } from './ca-certificates.ts';
import { bundleOf, fingerprint, type Generation } from './generation.ts';
import type { RotationOrder } from './rotation.ts';
import { rotationStep } from './rotation-steps.ts';
import { signingKeyOf } from './signing-key.ts';

const key = { cipher: 'aes-256-gcm' as const, by: '', nonce: '', ciphertext: '', tag: '' };
let first: Generation;
let second: Generation;
let below: Generation;

const rootOf = (certificate: string): Generation => {
  const id = fingerprint(certificate);
  return { id, kind: 'root', state: 'prepared', origin: 'made', certificate, chain: [], root: certificate, key };
};

beforeAll(async () => {
  const [one, two] = [await makeRoot('a.test'), await makeRoot('a.test')];
  const pair = await makeIntermediate({ certificate: one.certificate, key: signingKeyOf(one.key) }, 'a.test');
  first = { ...rootOf(one.certificate), state: 'active' };
  second = rootOf(two.certificate);
  below = { ...rootOf(pair.certificate), kind: 'intermediate', root: one.certificate };
});

type Step = Partial<RotationOrder> & { readonly held?: readonly string[] };

/** Applies steps of rotation `r` (unless said otherwise) to the root, or a reason. */
function after(...steps: readonly Step[]): readonly Generation[] | string {
  let generations: readonly Generation[] = [first];
  for (const { held = [], ...step } of steps) {
    const order: RotationOrder = { rotation: 'r', kind: 'root', phase: 'prepare', ...step };
    const heldUntil = (id: string): number | undefined => (held.includes(id) ? 2e12 : undefined);
    const made = order.kind === 'root' ? second : below;
    let result = rotationStep(generations, { order, heldUntil });
    if ('needs' in result) result = rotationStep(generations, { order, heldUntil, made });
    if ('needs' in result) throw new Error('it asked twice');
    if ('refused' in result) return result.refused;
    generations = result.generations;
  }
  return generations;
}

function shown(generations: readonly Generation[] | string): string {
  if (typeof generations === 'string') return generations;
  const names = new Map([first, second, below].map(({ id }, index) => [id, ['first', 'second', 'below'][index]]));
  return generations.map(({ id, state, key: kept }) => `${names.get(id)} ${state}${kept === undefined ? ' without key' : ''}`).join(', ');
}

const prepare: Step = { phase: 'prepare' };
const activate: Step = { phase: 'activate' };
const taint: Step = { phase: 'taint' };
const retire: Step = { phase: 'retire' };
const rollback: Step = { phase: 'rollback' };
const roots = (generations: readonly Generation[] | string): number =>
  typeof generations === 'string' ? -1 : bundleOf(generations).length;

describe('a rotation of the root', () => {
  test('goes through its phases; both roots are believed until the old one retires', () => {
    expect([shown(after(prepare)), roots(after(prepare))]).toEqual(['first active, second prepared', 2]);
    expect([shown(after(prepare, activate)), roots(after(prepare, activate))]).toEqual(['first old, second active', 2]);
    expect([shown(after(prepare, activate, taint)), roots(after(prepare, activate, taint))]).toEqual(['first tainted, second active', 2]);
    const done = after(prepare, activate, taint, retire);
    expect([shown(done), roots(done)]).toEqual(['first retired without key, second active', 1]);
    expect(shown(after(prepare, activate, retire))).toBe('first retired without key, second active');
  });

  test('any step twice is that step once', () => {
    for (const steps of [
      [prepare],
      [prepare, activate],
      [prepare, activate, taint],
      [prepare, activate, taint, retire],
      [prepare, rollback],
    ])
      expect(after(...steps.flatMap((step) => [step, step]))).toEqual(after(...steps));
    const done = after(prepare, activate, taint, retire) as readonly Generation[];
    for (const phase of ['prepare', 'activate', 'taint', 'retire'] as const) {
      const order = { rotation: 'r', kind: 'root' as const, phase };
      // The very same: nothing is written for it.
      const result = rotationStep(done, { order, heldUntil: () => undefined });
      expect('generations' in result && result.generations === done).toBe(true);
    }
  });

  test('is refused out of order, and while another is not finished', () => {
    expect(after(activate)).toBe('rotation r is not prepared here: order its prepare first');
    expect(after(retire)).toBe('rotation r is not prepared here: order its prepare first');
    expect(after(prepare, taint)).toBe('rotation r is not active here: order its activate first');
    expect(after(prepare, retire)).toBe('rotation r is not active here: order its activate first');
    expect(after(prepare, { ...prepare, rotation: 's' })).toContain('a generation of r is still prepared: finish that rotation');
    expect(after(prepare, activate, { ...prepare, rotation: 's' })).toContain('is still old: finish that rotation');
  });

  test('does not retire what is still held, and says until when', () => {
    const held = { held: [first.id] };
    expect(after(prepare, activate, taint, { ...retire, ...held })).toMatch(
      /^proxies hold certificates of the root [0-9a-f]{16} that are good until 2033-05-18T03:33:20.000Z and were not replaced/,
    );
    expect(shown(after(prepare, activate, taint, { ...retire, held: [second.id] }))).toBe('first retired without key, second active');
  });

  test('is rolled back until it retires: what the new root signed is tainted, and leaves with it', () => {
    expect(shown(after(prepare, rollback))).toBe('first active, second retired without key');
    expect(shown(after(prepare, activate, rollback))).toBe('first active, second tainted');
    expect(shown(after(prepare, activate, taint, rollback))).toBe('first active, second tainted');
    expect(shown(after(prepare, activate, rollback, retire))).toBe('first active, second retired without key');
    expect(after(prepare, activate, rollback, { ...retire, held: [second.id] })).toContain('were not replaced');
    expect(after(prepare, activate, rollback, activate)).toContain('is tainted, rolled back or replaced since');
    expect(after(prepare, activate, taint, retire, rollback)).toContain('is retired and its key destroyed');
  });

  test('an emergency retires the old root at once, whatever is held and whichever phases are missing', () => {
    const now = { ...retire, emergency: true, held: [first.id] };
    for (const steps of [[], [prepare], [prepare, activate], [prepare, activate, taint]])
      expect(shown(after(...steps, now))).toBe('first retired without key, second active');
    expect(shown(after(now, now))).toBe('first retired without key, second active');
    expect(shown(after({ ...prepare, kind: 'intermediate', rotation: 'other' }, now))).toBe(
      'first retired without key, below retired without key, second active',
    );
    expect(after({ ...now, kind: 'intermediate' })).toContain('an emergency replaces the root');
  });

  test('that shall wait no longer retires what is held, of either kind and after a rollback, and nothing else', () => {
    const now = { ...retire, emergency: true, held: [first.id, second.id] };
    const kind = 'intermediate' as const;
    expect(shown(after(prepare, activate, taint, now))).toBe('first retired without key, second active');
    expect(shown(after(prepare, activate, rollback, now))).toBe('first active, second retired without key');
    expect(shown(after({ ...prepare, kind }, { ...activate, kind }, { ...now, kind }))).toBe('first retired, below active');
  });
});

describe('a rotation of the intermediate', () => {
  const through = [prepare, activate, taint, retire].map((step) => ({ ...step, kind: 'intermediate' as const }));

  test('leaves one root in the bundle all the time, and keeps its key for the next one', () => {
    for (let count = 1; count <= through.length; count += 1) expect(roots(after(...through.slice(0, count)))).toBe(1);
    expect(shown(after(...through))).toBe('first retired, below active');
  });

  test('a rotation of the root after it destroys the keys of both', () => {
    const next = [prepare, activate, taint, retire].map((step) => ({ ...step, rotation: 's' }));
    expect(shown(after(...through, ...next))).toBe('first retired without key, below retired without key, second active');
    expect(roots(after(...through, ...next))).toBe(1);
  });
});

test('whatever is ordered in whatever order: one signs, and its root is in the bundle', () => {
  const step = fc.record({
    phase: fc.constantFrom('prepare', 'activate', 'taint', 'retire', 'rollback'),
    kind: fc.constantFrom('root', 'intermediate'),
    emergency: fc.boolean(),
  }) as fc.Arbitrary<Step>;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 8 }), (steps) => {
      const result = after(...steps);
      if (typeof result === 'string') return;
      const active = result.filter(({ state }) => state === 'active');
      expect(active).toHaveLength(1);
      expect(active[0]?.key).toBeDefined();
      expect(bundleOf(result)).toContain(active[0]?.root);
    }),
    { numRuns: 300 },
  );
});
