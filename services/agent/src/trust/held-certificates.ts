/** PURE: which proxy may hold a certificate of which generation. A proxy that acknowledged a certificate has replaced those before it. */
import Type, { type Static } from 'typebox';
import type { IdentityAccount } from './rotation.ts';

/** A certificate that was given to a proxy. */
const Given = Type.Object({
  /** The generation that signed it. */
  generation: Type.String(),
  /** Resource version of the secret. */
  version: Type.String(),
  /** Unix ms. */
  notAfter: Type.Number(),
  at: Type.Number(),
  acked: Type.Boolean(),
});
/** What one replica gave, by proxy; oldest first. */
export const HeldCertificates = Type.Record(Type.String(), Type.Array(Given));
export type HeldCertificates = Static<typeof HeldCertificates>;
type Given = Static<typeof Given>;

/** What one proxy may hold, oldest first. */
export type ProxyCertificates = readonly Given[];

/** A certificate that a proxy is given. */
export interface GivenTo {
  readonly generation: string;
  readonly version: string;
  readonly notAfter: number;
  /** Unix ms. */
  readonly at: number;
}

const SHOWN = 20;

/** What a proxy may hold once it is given another certificate, which it may use from now on, or not. */
export function given(before: ProxyCertificates, { generation, version, notAfter, at }: GivenTo): ProxyCertificates {
  const last = before.at(-1);
  if (last?.acked === true && last.version === version) return before;
  // Of several that were never acknowledged and are of one generation, the longest-lived stands for all.
  const merged = last !== undefined && !last.acked && last.generation === generation;
  const until = Math.max(notAfter, merged ? last.notAfter : 0);
  return [...(merged ? before.slice(0, -1) : before), { generation, version, notAfter: until, at, acked: false }];
}

/** What it may hold once it acknowledged the certificate of this version: those it was given before are replaced. */
export function acknowledged(before: ProxyCertificates, of: Pick<GivenTo, 'version' | 'at'>): ProxyCertificates {
  const index = before.findLastIndex(({ version, acked }) => version === of.version && !acked);
  if (index < 0) return before;
  return before.slice(index).map((each, place) => (place === 0 ? { ...each, at: of.at, acked: true } : each));
}

/** Without what has expired. */
export function unexpired(held: HeldCertificates, now: number): HeldCertificates {
  const kept = Object.entries(held).map(([proxy, all]) => [proxy, all.filter(({ notAfter }) => notAfter > now)] as const);
  return Object.fromEntries(kept.filter(([, all]) => all.length > 0).map(([proxy, all]) => [proxy, [...all]]));
}

/** Of all replicas together: what a proxy acknowledged at one replica replaces what it was given before by another. */
export function together(all: readonly HeldCertificates[]): HeldCertificates {
  const result: Record<string, Given[]> = {};
  for (const proxy of new Set(all.flatMap((held) => Object.keys(held)))) {
    const certificates = all.flatMap((held) => held[proxy] ?? []);
    const settled = Math.max(0, ...certificates.filter(({ acked }) => acked).map(({ at }) => at));
    result[proxy] = certificates.filter(({ at }) => at >= settled).sort((a, b) => a.at - b.at);
  }
  return result;
}

/** The account of who is on the active generation. */
export function identityAccount(held: HeldCertificates, active: string | undefined, now: number): IdentityAccount {
  const entries = Object.entries(unexpired(held, now));
  const old = entries.flatMap(([proxy, all]) => {
    const ends = all.filter(({ generation }) => generation !== active).map(({ notAfter }) => notAfter);
    return ends.length === 0 ? [] : [{ proxy, until: Math.max(...ends) }];
  });
  const ends = old.map(({ until }) => until).sort((a, b) => a - b);
  const [first, last] = [ends[0], ends.at(-1)];
  return {
    onActive: entries.filter(([, all]) => all.every(({ generation, acked }) => acked && generation === active)).length,
    onOld: old.length,
    ...(first === undefined || last === undefined
      ? {}
      : { oldestNotAfterOnOld: new Date(first).toISOString(), lastNotAfterOnOld: new Date(last).toISOString() }),
    missing: old
      .map(({ proxy }) => proxy)
      .sort()
      .slice(0, SHOWN),
  };
}

/** Until when certificates of the generation may be in use, Unix ms; undefined when none is. */
export function heldUntil(held: HeldCertificates, generation: string, now: number): number | undefined {
  const ends = Object.values(held).flatMap((all) => all.filter((each) => each.generation === generation && each.notAfter > now));
  return ends.length === 0 ? undefined : Math.max(...ends.map(({ notAfter }) => notAfter));
}
