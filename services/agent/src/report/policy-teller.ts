/** Tells the hub of the policy in the own API server, while this replica publishes for its cluster and the hub's setting asks for it. */
import type { Bus } from '@hawser/bus/bus.ts';
import { sealParts } from '@hawser/bus/document-parts.ts';
import type { RosterMember } from '@hawser/model/fleet.ts';
import type { MemberPolicies } from '@hawser/model/policy-mode.ts';
import { canonicalJson } from '@hawser/runtime/canonical-json.ts';
import { HUB } from '@hawser/wire/envelope.ts';
import type { FoundPolicies } from '@hawser/wire/found-policies.ts';
import type { Signer } from '@hawser/wire/signing.ts';
import { foundPoliciesSubject } from '@hawser/wire/subjects.ts';
import type { OpenPolicies, PolicySource } from '../discover/policy-source.ts';

/** What it works with. */
export interface PolicyTellerParts {
  readonly bus: Bus;
  readonly member: { readonly signer: Signer; readonly membership: { readonly cluster: string; readonly epoch: number } };
  readonly base: { readonly replica: string; readonly openPolicies: OpenPolicies | undefined; readonly revisions: { next(): number } };
  /** The lease that is held here; its term is 0 without. */
  readonly feed: { readonly term: number };
  readonly federation: { member(name: string): Pick<RosterMember, 'policies'> | undefined };
  /** Told of what cannot be read, or is left out. */
  readonly warnings: { standing(place: string, messages: readonly string[]): void };
  readonly heartbeatMs?: number;
}

/** A change of the setting, or of who publishes, is seen after so long. */
const LOOK_MS = 200;
/** Changes in between go with the next account, which is whole. */
const SPACING_MS = 100;
/** A message that was lost is made up for after so long. */
const HEARTBEAT_MS = 20_000;
/** A whole account of megabytes is not told more often than this share of the time allows. */
const BYTES_PER_MS = 512;
const MOST_NAMED = 3;

/** Speaks until it is stopped. Where the source is a directory of files there is nothing to tell. */
export function tellPolicies(parts: PolicyTellerParts): () => Promise<void> {
  const { openPolicies } = parts.base;
  if (openPolicies === undefined) return () => Promise.resolve();
  const teller = new PolicyTeller(parts, openPolicies);
  return () => teller.stop();
}

class PolicyTeller {
  readonly #parts: PolicyTellerParts;
  readonly #source: PolicySource;
  readonly #look: NodeJS.Timeout;
  readonly #stopStatus: () => void;
  #setting = 'null';
  #timer: NodeJS.Timeout | undefined;
  #dueAt = Number.POSITIVE_INFINITY;
  #earliestAt = 0;

  constructor(parts: PolicyTellerParts, open: OpenPolicies) {
    this.#parts = parts;
    this.#source = open(() => this.#soon());
    this.#look = setInterval(() => this.#follow(), LOOK_MS).unref();
    this.#stopStatus = parts.bus.onStatus((connected) => connected && this.#soon());
  }

  async stop(): Promise<void> {
    clearInterval(this.#look);
    clearTimeout(this.#timer);
    this.#stopStatus();
    this.#timer = undefined;
    await this.#source.stop();
  }

  /** Replicas that do not publish do not read: an API server has enough to do. */
  #follow(): void {
    const { feed, federation, member, warnings } = this.#parts;
    const wanted: MemberPolicies | undefined = feed.term > 0 ? federation.member(member.membership.cluster)?.policies : undefined;
    const setting = canonicalJson(wanted ?? null);
    if (setting === this.#setting) return;
    this.#setting = setting;
    this.#source.follow(wanted);
    if (this.#source.policies === undefined) warnings.standing('policies', []);
  }

  #soon(): void {
    this.#schedule(Math.max(performance.now() + SPACING_MS, this.#earliestAt));
  }

  #schedule(at: number): void {
    if (this.#source.policies === undefined || (this.#timer !== undefined && this.#dueAt <= at)) return;
    clearTimeout(this.#timer);
    this.#dueAt = at;
    this.#timer = setTimeout(() => this.#tell(), Math.max(0, at - performance.now())).unref();
  }

  #tell(): void {
    this.#timer = undefined;
    const { bus, member, base, feed, warnings } = this.#parts;
    const { policies } = this.#source;
    const { term } = feed;
    if (policies === undefined || term === 0) return;
    const account = this.#source.account();
    warnings.standing('policies', problemsOf(account));
    let bytes = 0;
    if (bus.connected) {
      const { cluster, epoch } = member.membership;
      const head = { from: cluster, to: HUB, key: 'policies', epoch, revision: base.revisions.next() };
      const body: FoundPolicies = { term, policies, ...account };
      for (const message of sealParts(head, body, member.signer)) {
        bytes += message.length;
        bus.publish(foundPoliciesSubject(cluster, base.replica), message);
      }
    }
    this.#earliestAt = performance.now() + bytes / BYTES_PER_MS;
    this.#schedule(performance.now() + (this.#parts.heartbeatMs ?? HEARTBEAT_MS));
  }
}

function problemsOf({ kinds, omitted, omittedMore }: Pick<FoundPolicies, 'kinds' | 'omitted' | 'omittedMore'>): string[] {
  const unread = kinds.flatMap(({ kind, problem }) => (problem === undefined ? [] : [`${kind}: ${problem}`]));
  const named = [...unread, ...omitted.map(({ kind, namespace, name, reason }) => `${kind} ${namespace}/${name}: ${reason}`)];
  const more = named.length - MOST_NAMED + omittedMore;
  return more > 0 ? [...named.slice(0, MOST_NAMED), `and ${more} more`] : named;
}
