/** What the agents of `east`, and of clusters that trust it, account for in a rotation, for tests. */
import { rootMark, type TrustAccount, type TrustPhase } from '@hawser/wire/trust.ts';

const [OLD, NEW] = ['a'.repeat(64), 'b'.repeat(64)] as const;
const ABOUT = { kind: 'root', origin: 'made', subject: '', notBefore: '', notAfter: '' } as const;

/** The step that was done last. */
export function orderOf(rotation: string, phase: TrustPhase): NonNullable<TrustAccount['order']> {
  return { rotation, phase, emergency: false };
}

/** Everything as it is when all have done this step; undefined before the first. */
export function trustOf(rotation: string, step: TrustPhase | undefined): TrustAccount {
  const isLast = step === 'retire';
  const begun = step !== undefined;
  const isSigning = begun && step !== 'prepare';
  return {
    generations: [
      { ...ABOUT, id: OLD, root: OLD, state: isLast ? 'retired' : isSigning ? 'old' : 'active' },
      ...(begun ? [{ ...ABOUT, id: NEW, root: NEW, state: isSigning ? ('active' as const) : ('prepared' as const), rotation }] : []),
    ],
    identities: { onActive: 0, onOld: 0, missing: [] },
    ...(begun ? { order: orderOf(rotation, step) } : {}),
    bundles: [
      {
        trustDomain: 'east.hawser',
        roots: (isLast ? [NEW] : begun ? [OLD, NEW] : [OLD]).map(rootMark),
        ...{ expected: 0, acked: 0, missing: [] },
      },
    ],
  };
}
