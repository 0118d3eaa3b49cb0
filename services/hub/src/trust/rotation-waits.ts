/** PURE: whom a rotation waits for in each phase. A blocking wait is one without which a request could be lost. */
import { type RotationWait, rootMark, type ServedBundle, type TrustAccount, type TrustPhase } from '@hawser/wire/trust.ts';
import { type AgentEvidence, type Evidence, type MemberEvidence, presenceOf } from './rotation-evidence.ts';
import type { Rotation } from './rotation-state.ts';

const MAX_NAMES = 10;

/** Everybody that the present step is not done with. */
export function waitsOf(rotation: Rotation, evidence: Evidence, step: TrustPhase | undefined): readonly RotationWait[] {
  if (step === undefined) return [];
  const own = evidence.members.find(({ cluster }) => cluster === rotation.cluster);
  if (own === undefined) return [waits(rotation.cluster, 'it is no member any more')];
  if (evidence.busSince === undefined) return [waits(rotation.cluster, 'the hub has no connection to NATS')];
  const obeyed = orderWaits(rotation, own, { evidence, step });
  if (obeyed.length > 0) return obeyed;
  return [...identityWaits(rotation, own, step), ...bundleWaits(rotation, evidence, { own, step })];
}

/** Why the rotating cluster will not do the present step. */
export function refusalBy(rotation: Rotation, evidence: Evidence, step: TrustPhase | undefined): string | undefined {
  const own = evidence.members.find(({ cluster }) => cluster === rotation.cluster);
  for (const { trust } of own?.agents ?? []) {
    const order = trust?.order;
    if (order?.rotation === rotation.id && order.phase === step && order.refusal !== undefined) return order.refusal;
  }
  return undefined;
}

interface At {
  readonly evidence: Evidence;
  readonly step: TrustPhase;
}

function orderWaits(rotation: Rotation, own: MemberEvidence, { evidence, step }: At): RotationWait[] {
  const { cluster, id } = rotation;
  if (presenceOf(own, evidence, rotation.awayAfterMs) !== 'present') return [waits(cluster, silence(own, evidence))];
  for (const { trust } of own.agents) {
    if (trust === undefined) return [waits(cluster, 'its agent is of a release that cannot rotate: upgrade it')];
    const { order } = trust;
    if (order?.rotation !== id || order.phase !== step) return [waits(cluster, `its agent has not done ${step} yet`)];
    if (order.refusal !== undefined) return [waits(cluster, `its agent refuses to ${step}: ${order.refusal}`)];
  }
  return [];
}

/**
 * Before the old one is tainted, those that are connected have new certificates; before it goes, so have all others, or their old
 * ones have expired.
 */
function identityWaits(rotation: Rotation, own: MemberEvidence, step: TrustPhase): RotationWait[] {
  if (step === 'prepare' || step === 'retire') return [];
  const accounts = own.agents.flatMap(({ trust }) => (trust === undefined ? [] : [trust.identities]));
  const connected = new Set(own.agents.flatMap(({ proxies }) => proxies));
  const onOld = Math.max(0, ...accounts.map((account) => account.onOld));
  const names = [...new Set(accounts.flatMap(({ missing }) => missing))];
  const here = names.filter((name) => connected.has(name));
  const found: RotationWait[] = [];
  if (here.length > 0 || onOld > names.length)
    found.push(waits(rotation.cluster, `${proxies(Math.max(here.length, 1))} to go over to the certificate in force`, here));
  const gone = names.filter((name) => !connected.has(name));
  if (gone.length === 0) return found;
  const isEnd = step === 'taint' || step === 'rollback';
  const until = accounts
    .map(({ lastNotAfterOnOld }) => lastNotAfterOnOld ?? '')
    .sort()
    .at(-1);
  const reason = `${proxies(gone.length)} away, with a certificate of the other that is good until ${until}`;
  return [...found, { cluster: rotation.cluster, reason, proxies: gone.slice(0, MAX_NAMES), blocks: isEnd && !rotation.retireNow }];
}

interface Step {
  readonly own: MemberEvidence;
  readonly step: TrustPhase;
}

function bundleWaits(rotation: Rotation, evidence: Evidence, { own, step }: Step): RotationWait[] {
  if (rotation.kind === 'intermediate') return [];
  const check = bundleCheck(rotation, own, step);
  if (check === undefined) return [];
  // The old root goes only when nobody is left who must come back first; that nobody has it any more is then a matter of time.
  const isPointOfNoReturn = step === 'taint' && !rotation.retireNow;
  return evidence.members.flatMap((member) => {
    const presence = presenceOf(member, evidence, rotation.awayAfterMs);
    if (presence === 'present') return member.agents.flatMap((agent) => bundleWait(member.cluster, agent, { ...check, evidence }));
    const isLeft = presence === 'away' || step === 'retire';
    const returning = isLeft ? `${silence(member, evidence)}; it catches up when it returns` : silence(member, evidence);
    return [{ cluster: member.cluster, reason: returning, proxies: [], blocks: !isLeft || isPointOfNoReturn }];
  });
}

interface BundleCheck {
  /** What is not right with the roots that are served; undefined when they are. */
  readonly problem: (roots: readonly string[]) => string | undefined;
  readonly acknowledges: string;
}

/** What every bundle must be before the step is done. */
function bundleCheck(rotation: Rotation, own: MemberEvidence, step: TrustPhase): BundleCheck | undefined {
  const generations = own.agents.flatMap(({ trust }) => trust?.generations ?? []);
  if (step === 'retire') {
    const live = new Set(generations.filter(({ state }) => state !== 'retired').map(({ root }) => rootMark(root)));
    const isGone = (root: string): boolean => generations.some((one) => rootMark(one.root) === root) && !live.has(root);
    const active = generations.find(({ state }) => state === 'active')?.root;
    const problem = (roots: readonly string[]): string | undefined => {
      if (active !== undefined && !roots.includes(rootMark(active))) return 'has not the root in force yet';
      return roots.some(isGone) ? 'still has the old root' : undefined;
    };
    return { problem, acknowledges: 'that the old root is gone' };
  }
  if (step === 'rollback') return undefined;
  const fresh = generations.find((one) => one.rotation === rotation.id && one.state !== 'retired')?.root;
  const problem = (roots: readonly string[]): string | undefined =>
    fresh !== undefined && roots.includes(rootMark(fresh)) ? undefined : 'has not the new root yet';
  return { problem, acknowledges: 'the new root' };
}

function bundleWait(
  cluster: string,
  { trust }: AgentEvidence,
  { problem, acknowledges, evidence }: BundleCheck & { readonly evidence: Evidence },
): RotationWait[] {
  if (trust === undefined) return [waits(cluster, 'its agent is of a release that says nothing of its bundles: upgrade it')];
  const bundle = bundleOf(trust, evidence.trustDomain);
  const wrong = problem(bundle?.roots ?? []);
  if (wrong !== undefined || bundle === undefined) return [waits(cluster, wrong ?? 'has no bundle of it')];
  if (bundle.acked >= bundle.expected) return [];
  const left = bundle.expected - bundle.acked;
  return [waits(cluster, `${proxies(left)} to acknowledge ${acknowledges}`, bundle.missing)];
}

function bundleOf({ bundles }: TrustAccount, trustDomain: string): ServedBundle | undefined {
  return bundles.find((bundle) => bundle.trustDomain === trustDomain);
}

function waits(cluster: string, reason: string, names: readonly string[] = []): RotationWait {
  return { cluster, reason, proxies: names.slice(0, MAX_NAMES), blocks: true };
}

function silence({ heardAt, agents }: MemberEvidence, { now, busSince }: Evidence): string {
  if (heardAt === undefined || agents.length === 0) return 'nothing was heard of it yet';
  const seconds = Math.round((now - Math.max(heardAt, busSince ?? 0)) / 1_000);
  return `nothing was heard of it for ${seconds} s`;
}

function proxies(count: number): string {
  return count === 1 ? '1 proxy is' : `${count} proxies are`;
}
