import { type IdentityAccount, rootMark, type TrustAccount, type TrustPhase } from '@hawser/wire/trust.ts';
import { describe, expect, it } from 'vitest';
import type { AgentEvidence, Evidence, MemberEvidence } from './rotation-evidence.ts';
import { advance, commanded, orderOf, type Rotation, started, waiting } from './rotation-state.ts';

const [OLD, NEW] = ['a'.repeat(64), 'b'.repeat(64)];
const NOW = Date.parse('2026-11-21T12:00:00Z');
const AWAY_MS = 600_000;
const settled: IdentityAccount = { onActive: 2, onOld: 0, missing: [] };
const moved = { Preparing: 'prepare', Activating: 'activate', Tainting: 'taint', Retiring: 'retire', RollingBack: 'rollback' } as const;

type States = readonly [old: 'active' | 'old' | 'tainted' | 'retired', fresh: 'prepared' | 'active' | 'tainted' | 'retired'];

interface Told {
  readonly step?: TrustPhase;
  readonly refusal?: string;
  readonly states?: States;
  readonly identities?: IdentityAccount;
  readonly roots?: readonly string[];
  readonly acked?: number;
}

function account({
  step,
  refusal,
  states = ['active', 'prepared'],
  identities = settled,
  roots = [OLD, NEW],
  acked = 2,
}: Told): TrustAccount {
  const about = { kind: 'root', origin: 'made', subject: '', notBefore: '', notAfter: '' } as const;
  const missing = acked < 2 ? ['late'] : [];
  return {
    generations: [
      { ...about, id: OLD, root: OLD, state: states[0] },
      { ...about, id: NEW, root: NEW, state: states[1], rotation: 'r1' },
    ],
    identities,
    ...(step === undefined
      ? {}
      : { order: { rotation: 'r1', phase: step, emergency: false, ...(refusal === undefined ? {} : { refusal }) } }),
    bundles: [{ trustDomain: 'east.hawser', roots: roots.map(rootMark), expected: 2, acked, missing }],
  };
}

const agent = (told: Told): AgentEvidence => ({ proxies: ['one', 'late'], trust: account(told) });
const member = (cluster: string, told: Told, heardAt: number | undefined = NOW): MemberEvidence => ({
  cluster,
  heardAt,
  agents: [agent(told)],
});
const seen = (...members: MemberEvidence[]): Evidence => ({
  now: NOW,
  busSince: NOW - 3_600_000,
  epoch: 1,
  trustDomain: 'east.hawser',
  members,
});

function at(phase: keyof typeof moved, more: Partial<Rotation> = {}): Rotation {
  const given = {
    id: 'r1',
    cluster: 'east',
    epoch: 1,
    kind: 'root',
    emergency: false,
    awayAfterMs: AWAY_MS,
    startedBy: 'me',
    now: NOW,
  } as const;
  const phases = [
    { phase: 'Preparing', at: '' },
    ...(phase === 'Preparing' ? [] : [{ phase: 'Activating' as const, at: '' }]),
  ] as Rotation['phases'];
  return { ...started(given), phase, phases, ...more };
}

describe('a rotation', () => {
  it('prepares until every connected proxy of everybody that trusts it has acknowledged the new root', () => {
    const own = member('east', { step: 'prepare' });
    const rotation = at('Preparing');
    expect(advance(rotation, seen(member('east', {}), member('west', {})))).toBe(rotation);
    expect(advance(rotation, seen(own, member('west', { roots: [OLD] })))).toBe(rotation);
    expect(advance(rotation, seen(own, member('west', { acked: 1 })))).toBe(rotation);
    expect(waiting(rotation, seen(own, member('west', { acked: 1 })))).toMatchObject([
      { cluster: 'west', proxies: ['late'], blocks: true },
    ]);
    expect(advance(rotation, seen(own, member('west', {}))).phase).toBe('Activating');
  });

  it('waits for a cluster that fell silent, and goes on without one that is away, but not to its end', () => {
    const own = (step: TrustPhase, states: States): MemberEvidence => member('east', { step, states });
    const silent = member('west', { roots: [OLD] }, NOW - 60_000);
    const away = member('west', { roots: [OLD] }, NOW - AWAY_MS - 1);
    const preparing = at('Preparing');
    expect(advance(preparing, seen(own('prepare', ['active', 'prepared']), silent))).toBe(preparing);
    expect(advance(preparing, seen(own('prepare', ['active', 'prepared']), away)).phase).toBe('Activating');
    const tainting = at('Tainting');
    const evidence = seen(own('taint', ['tainted', 'active']), away);
    expect(advance(tainting, evidence)).toBe(tainting);
    const hurried = commanded(tainting, 'retire-now', evidence);
    expect(typeof hurried === 'string' ? hurried : advance(hurried, evidence).phase).toBe('Retiring');
    expect(typeof hurried === 'string' ? undefined : orderOf({ ...hurried, phase: 'Retiring' }, NOW)?.emergency).toBe(true);
  });

  it('holds nothing against anybody that this hub could not hear', () => {
    const rotation = at('Preparing');
    const unheard: MemberEvidence = { cluster: 'west', heardAt: undefined, agents: [] };
    const own = member('east', { step: 'prepare' });
    expect(advance(rotation, { ...seen(own, unheard), busSince: NOW - 1_000 })).toBe(rotation);
    expect(advance(rotation, { ...seen(own, member('west', {})), busSince: undefined })).toBe(rotation);
  });

  it('does not taint while a connected proxy has an old certificate, nor retire while one that went away may come back with one', () => {
    const late: IdentityAccount = { onActive: 1, onOld: 1, missing: ['late'], lastNotAfterOnOld: '2026-11-22T12:00:00Z' };
    const gone: IdentityAccount = { ...late, missing: ['gone'] };
    const west = member('west', {});
    const activating = at('Activating');
    expect(advance(activating, seen(member('east', { step: 'activate', states: ['old', 'active'], identities: late }), west))).toBe(
      activating,
    );
    expect(advance(activating, seen(member('east', { step: 'activate', states: ['old', 'active'], identities: gone }), west)).phase).toBe(
      'Tainting',
    );
    const tainting = at('Tainting');
    expect(advance(tainting, seen(member('east', { step: 'taint', states: ['tainted', 'active'], identities: gone }), west))).toBe(
      tainting,
    );
    expect(
      commanded(tainting, 'retire-now', seen(member('east', { step: 'taint', states: ['tainted', 'active'], identities: late }), west)),
    ).toMatch(/would strand east/);
    expect(
      commanded(
        tainting,
        'retire-now',
        seen(member('east', { step: 'taint', states: ['tainted', 'active'] }), member('west', { acked: 1 })),
      ),
    ).toMatch(/would strand west/);
  });

  it('is done when nobody serves the old root', () => {
    const own = member('east', { step: 'retire', states: ['retired', 'active'], roots: [NEW] });
    const retiring = at('Retiring');
    expect(advance(retiring, seen(own, member('west', {})))).toBe(retiring);
    expect(advance(retiring, seen(own, member('west', { roots: [NEW] }))).phase).toBe('Done');
  });

  it('is not gone on with for another cluster of that name', () => {
    const own = member('east', { step: 'prepare' });
    expect(advance(at('Preparing'), { ...seen(own), epoch: 2 })).toMatchObject({
      phase: 'Failed',
      message: expect.stringContaining('joined it anew'),
    });
    expect(advance(at('Preparing', { paused: true }), { ...seen(), epoch: undefined }).phase).toBe('Failed');
    const unheard = { ...seen(), epoch: undefined, busSince: undefined };
    expect(advance(at('Preparing'), unheard).phase).toBe('Preparing');
  });

  it('that is refused before anything was signed has failed; paused, it stays', () => {
    const refused = seen(member('east', { step: 'prepare', refusal: 'no' }));
    expect(advance(at('Preparing'), refused)).toMatchObject({ phase: 'Failed', message: 'east refuses to prepare: no' });
    const paused = commanded(at('Preparing'), 'pause', refused) as Rotation;
    expect(advance(paused, refused)).toBe(paused);
    expect(commanded(paused, 'resume', refused)).toMatchObject({ paused: false });
  });

  it('rolls back by signing with the one before, then takes the new root out; not once the old one goes', () => {
    const back = commanded(at('Activating'), 'rollback', seen()) as Rotation;
    expect([back.phase, orderOf(back, NOW)?.phase]).toEqual(['RollingBack', 'rollback']);
    const late: IdentityAccount = { onActive: 1, onOld: 1, missing: ['late'] };
    expect(advance(back, seen(member('east', { step: 'rollback', states: ['active', 'tainted'], identities: late })))).toBe(back);
    const away = seen(member('east', { step: 'rollback', states: ['active', 'tainted'], identities: { ...late, missing: ['gone'] } }));
    expect(advance(back, away)).toBe(back);
    const hurried = commanded(back, 'retire-now', away) as Rotation;
    expect(orderOf(advance(hurried, away), NOW)).toMatchObject({ phase: 'retire', emergency: true });
    const withdrawn = advance(back, seen(member('east', { step: 'rollback', states: ['active', 'tainted'] })));
    expect([withdrawn.phase, orderOf(withdrawn, NOW)?.phase]).toEqual(['RollingBack', 'retire']);
    const gone = member('east', { step: 'retire', states: ['active', 'retired'], roots: [OLD] });
    expect(advance(withdrawn, seen(gone, member('west', {})))).toBe(withdrawn);
    expect(advance(withdrawn, seen(gone, member('west', { roots: [OLD] }))).phase).toBe('RolledBack');
    expect(commanded(at('Retiring'), 'rollback', seen())).toMatch(/retired/);
    const never = commanded(at('Preparing'), 'rollback', seen()) as Rotation;
    expect(advance(never, seen(member('east', { step: 'rollback', refusal: 'not prepared' }))).phase).toBe('RolledBack');
  });

  it('starts when its time has come; an emergency retires at once', () => {
    const given = { id: 'r1', cluster: 'east', epoch: 1, kind: 'root', awayAfterMs: AWAY_MS, startedBy: 'me', now: NOW } as const;
    const later = started({ ...given, emergency: false, at: new Date(NOW + 60_000).toISOString() });
    expect(advance(later, seen())).toBe(later);
    expect(advance(later, { ...seen(), now: NOW + 60_000 }).phase).toBe('Preparing');
    const emergency = advance(started({ ...given, emergency: true }), seen());
    expect(orderOf(emergency, NOW)).toMatchObject({ phase: 'retire', emergency: true });
    expect(commanded(emergency, 'pause', seen())).toMatch(/waits for nothing/);
  });
});
