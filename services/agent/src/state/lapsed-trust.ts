/** PURE: who was believed and is not any more. Bundles end what is begun anew; connections that are open already are known by this alone. */
import type { Roster } from '@hawser/model/fleet.ts';
import { type Federated, federates } from '@hawser/model/trust-domain.ts';

/** What an agent remembers, on its disk too. */
export interface LapsedTrust {
  /** Trust domains, sorted; forgotten when they are believed again. */
  readonly domains: readonly string[];
  /** Clusters that left while others go on bearing their trust domain, `NAME EPOCH`: no name in a certificate tells theirs from those. */
  readonly clusters: readonly string[];
}

/** Nobody. */
export const NOTHING_LAPSED: LapsedTrust = { domains: [], clusters: [] };

/** Their connections are long gone when so many others have lapsed since. */
const MOST = 100;

/** What is remembered after another roster; the same object when nothing differs. */
export function lapsedAfter(lapsed: LapsedTrust, own: Federated & { readonly name: string }, [before, after]: Rosters): LapsedTrust {
  const [was, is] = [believedIn(before, own), believedIn(after, own)];
  const gone = [...was].filter((name) => !is.has(name));
  const left = lapsed.domains.filter((name) => !is.has(name) && !gone.includes(name));
  const members = new Set((after?.members ?? []).map(({ name }) => name));
  const leavers = (before?.members ?? []).filter(
    ({ name, trustDomain }) => !members.has(name) && was.has(trustDomain) && is.has(trustDomain),
  );
  const domains = [...left, ...gone].slice(-MOST).sort();
  const clusters = [...lapsed.clusters, ...leavers.map(({ name, epoch }) => `${name} ${epoch}`)].slice(-MOST);
  const isSame = domains.join() === lapsed.domains.join() && leavers.length === 0;
  return isSame ? lapsed : { domains, clusters };
}

type Rosters = readonly [before: Roster | undefined, after: Roster];

function believedIn({ members, external = [] }: Roster = { members: [] }, own: Federated & { readonly name: string }): ReadonlySet<string> {
  const self = members.find(({ name }) => name === own.name) ?? own;
  const named = external.filter(({ trustBundle }) => trustBundle.length > 0).map(({ name }) => name);
  const all = [...members.map(({ trustDomain }) => trustDomain), ...named];
  return new Set(all.filter((trustDomain) => federates(self, trustDomain)));
}
