/** Asks the bundle endpoints of external trust domains while this replica leads; what it takes is in the database, and in the roster, at once. */
import { trustDomainOfId } from '@hawser/model/spiffe-ids.ts';
import type { BundleEndpoint, NamedTrustDomain } from '@hawser/model/trust-domain.ts';
import { messageOf } from '@hawser/runtime/app-error.ts';
import { pemCertificates } from '@hawser/runtime/authority-certificate.ts';
import { sleep } from '@hawser/runtime/backoff.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import type { Database } from '../db/database.ts';
import { requireTerm } from '../resource/desired-state-store.ts';
import type { DesiredState } from '../resource/resource-read-model.ts';
import { findRow, recordWrite } from '../resource/resource-store.ts';
import {
  type Answer,
  afterAnswer,
  type KnownBundle,
  type NextBundle,
  REFRESH_BOUNDS,
  type RefreshBounds,
} from './external-bundle-state.ts';
import { type ExternalBundleRow, externalBundlesOf, storeExternalBundle } from './external-bundle-store.ts';
import { fetchBundle } from './fetch-bundle.ts';
import { trustDomainsIn } from './roster-state.ts';
import { readSpiffeBundle } from './spiffe-bundle-text.ts';

/** What it works with. */
export interface BundlePollerParts {
  readonly database: Database;
  readonly desired: () => DesiredState | undefined;
  /** Of this replica while it leads. */
  readonly term: () => number | undefined;
  /** The member's trust domain that has an authority's key. */
  readonly keyOwner: (keyId: string) => string | undefined;
  /** PEM of what is believed of a trust domain of members. */
  readonly memberBundle: (trustDomain: string) => readonly string[];
  readonly allowPrivate: boolean;
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly bounds?: RefreshBounds;
}

const LOOK_MS = 1_000;
const AT_ONCE = 4;
const NOTHING: KnownBundle = { certificates: null, sequence: null, refreshSeconds: null, held: '' };

interface Due {
  readonly domain: NamedTrustDomain;
  readonly endpoint: BundleEndpoint;
  readonly row: ExternalBundleRow | undefined;
}

/** One replica's part in it. */
export class BundlePoller {
  readonly #parts: BundlePollerParts;

  constructor(parts: BundlePollerParts) {
    this.#parts = parts;
  }

  /** Runs until the signal is aborted; survives every failure of the database and of endpoints. */
  async run(): Promise<void> {
    const { signal, log } = this.#parts;
    while (!signal.aborted) {
      try {
        await this.look();
      } catch (error) {
        log.warn({ error: messageOf(error) }, 'bundle endpoints could not be looked after, trying again');
      }
      await sleep(LOOK_MS, signal);
    }
  }

  /** Asks whoever is due, a few at once. */
  async look(): Promise<void> {
    const term = this.#parts.term();
    if (term === undefined) return;
    const waiting = (await this.#due()).values();
    const askOn = async (): Promise<void> => {
      for (const due of waiting) await this.#ask(due, term);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, askOn));
  }

  async #due(): Promise<readonly Due[]> {
    const { database, desired } = this.#parts;
    const domains = trustDomainsIn(desired()?.resources ?? []).filter(({ spec }) => spec.source?.endpoint !== undefined);
    if (domains.length === 0) return [];
    const names = domains.map(({ name }) => name);
    const rows = await database.transaction((tx) => externalBundlesOf(tx, names), { accessMode: 'read only' });
    const byName = new Map(rows.map((row) => [row.trustDomain, row]));
    return domains.flatMap((domain) => {
      const { endpoint } = domain.spec.source ?? {};
      const row = byName.get(domain.name);
      return endpoint === undefined || (row?.nextAt?.getTime() ?? 0) > Date.now() ? [] : [{ domain, endpoint, row }];
    });
  }

  async #ask(due: Due, term: number): Promise<void> {
    const { log, bounds = REFRESH_BOUNDS } = this.#parts;
    const { name } = due.domain;
    const answer = await this.#answerOf(due);
    const known = due.row ?? NOTHING;
    const next = afterAnswer(known, answer, { now: new Date(), bounds, owner: this.#ownerOf(name, answer), jitter: Math.random() });
    if (next.problem !== '' && next.problem !== due.row?.problem)
      log.warn({ trustDomain: name, problem: next.problem }, 'a bundle was not taken');
    await this.#store(due, next, term);
  }

  async #answerOf({ domain, endpoint, row }: Due): Promise<Answer> {
    const { allowPrivate, signal } = this.#parts;
    try {
      const text = await fetchBundle(endpoint, { serverBundle: this.#serverBundle(domain, endpoint, row), allowPrivate, signal });
      return readSpiffeBundle(domain.name, text, Date.now());
    } catch (error) {
      return { problem: messageOf(error) };
    }
  }

  /** The endpoint's server may be of the trust domain itself, or of another one that is known. */
  #serverBundle(
    domain: NamedTrustDomain,
    { endpointSpiffeId = '' }: BundleEndpoint,
    row: ExternalBundleRow | undefined,
  ): readonly string[] {
    const { desired, memberBundle } = this.#parts;
    const ofDomain = trustDomainOfId(endpointSpiffeId) ?? '';
    // An obeyed distrust leaves nothing to verify by: then an operator begins anew with another first bundle.
    if (ofDomain === domain.name) return row?.certificates ?? pemCertificates(domain.spec.source?.bootstrapBundle ?? '');
    return desired()?.external?.find(({ name }) => name === ofDomain)?.trustBundle ?? memberBundle(ofDomain);
  }

  #ownerOf(trustDomain: string, answer: Answer): string | undefined {
    if ('problem' in answer) return undefined;
    return answer.keyIds.map((keyId) => this.#parts.keyOwner(keyId)).find((owner) => owner !== undefined && owner !== trustDomain);
  }

  /** A bundle that differs is a write, so that every replica and every cluster hears of it. */
  async #store({ domain: { name }, row }: Due, next: NextBundle, term: number): Promise<void> {
    const { database, log } = this.#parts;
    const { fetchedAt, ...state } = next;
    const changed = JSON.stringify(row?.certificates ?? null) !== JSON.stringify(next.certificates);
    await database.transaction(async (tx) => {
      await requireTerm(tx, term);
      const resource = await findRow(tx, { kind: 'TrustDomain', namespace: '', name }, 'lock');
      // It was deleted meanwhile.
      if (resource === undefined) return;
      await storeExternalBundle(tx, name, fetchedAt === null ? state : { ...state, fetchedAt });
      if (!changed) return;
      const reason = `bundle of sequence ${next.sequence ?? 'none'}, ${next.certificates?.length ?? 0} certificates`;
      await recordWrite(tx, { action: 'update', row: resource, actor: 'hub', reason });
    });
    if (changed) log.info({ trustDomain: name, sequence: next.sequence, certificates: next.certificates?.length }, 'a bundle was taken');
  }
}
