/** What operators do with rotations: start, look, pause, resume, roll back, retire without waiting for who is away. */
import { randomBytes } from 'node:crypto';
import { parseDuration } from '@hawser/model/duration.ts';
import type { RotationImpact, RotationRequest, RotationView, RotationWait } from '@hawser/wire/trust.ts';
import type { Database } from '../db/database.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';
import { StatusError } from '../http/status.ts';
import { evidenceFor } from './fleet-evidence.ts';
import { type Evidence, presenceOf } from './rotation-evidence.ts';
import { advance, commanded, type Rotation, type RotationCommand, started, waiting } from './rotation-state.ts';
import { findRotation, insertRotation, listRotations, updateRotation } from './rotation-store.ts';

/** What it works with. */
export interface RotationServiceParts {
  readonly database: Database;
  readonly context: FleetContext;
  /** A rotation changed: whoever leads looks at once. */
  readonly onChange: () => void;
}

/** Who asks, and whether the old key is to be revoked at once. */
export interface Asked {
  readonly actor: string;
  readonly emergency: boolean;
}

const AWAY_AFTER = '10m';

/** The service. Throws `StatusError` for what cannot be. */
export class RotationService {
  readonly #parts: RotationServiceParts;

  constructor(parts: RotationServiceParts) {
    this.#parts = parts;
  }

  /** Starts one, now or later; with `dryRun` only says what it breaks. */
  async start(request: RotationRequest, { actor, emergency }: Asked): Promise<RotationView | RotationImpact> {
    const evidence = this.#evidenceOf(request.cluster);
    const { breaks } = emergency ? impactOf(request.cluster, evidence) : { breaks: [] };
    if (request.dryRun === true) return { breaks };
    if (emergency) requireConfirmed(request, breaks);
    const rotation = newRotation(request, { actor, emergency, evidence });
    const act = { actor, verb: 'rotate', reason: `${emergency ? 'emergency, ' : ''}${rotation.kind} of ${rotation.cluster}` };
    const { database } = this.#parts;
    const taken = await database.transaction(async (tx) => {
      // One that has no time to wait for is under way when the answer says that it was started.
      if (await insertRotation(tx, advance(rotation, evidence), act)) return undefined;
      return (await listRotations(tx, rotation.cluster))[0];
    });
    if (taken !== undefined)
      throw new StatusError(
        'Conflict',
        `a rotation of ${taken.cluster} is ${taken.phase} since ${taken.createdAt}: let it end, or roll it back: hawser trust rotate ${taken.cluster} --rollback`,
      );
    this.#parts.onChange();
    return this.#view(advance(rotation, evidence));
  }

  /** The newest, of one cluster if that is given. */
  async list(cluster: string | undefined): Promise<readonly RotationView[]> {
    const found = await this.#parts.database.transaction((tx) => listRotations(tx, cluster), { accessMode: 'read only' });
    return found.map((rotation) => this.#view(rotation));
  }

  async get(id: string): Promise<RotationView> {
    const found = await this.#parts.database.transaction((tx) => findRotation(tx, id, 'read'), { accessMode: 'read only' });
    if (found === undefined) throw unknown(id);
    return this.#view(found);
  }

  /** Does what an operator says, or says why not. */
  async command(id: string, command: RotationCommand, actor: string): Promise<RotationView> {
    const { database, context, onChange } = this.#parts;
    const changed = await database.transaction(async (tx) => {
      const before = await findRotation(tx, id, 'lock');
      if (before === undefined) throw unknown(id);
      const evidence = evidenceFor(context, before.cluster);
      const after = commanded(before, command, evidence);
      if (typeof after === 'string') throw new StatusError('Conflict', `${command} ${before.cluster}: ${after}`);
      await updateRotation(tx, before, after, { actor, verb: command, reason: `${before.cluster}: ${after.phase}`, now: evidence.now });
      return after;
    });
    onChange();
    return this.#view(changed);
  }

  #evidenceOf(cluster: string): Evidence {
    const { context } = this.#parts;
    const members = context.distribution.desired?.members ?? [];
    if (!members.some(({ name }) => name === cluster)) {
      const names = members.map(({ name }) => name).join(', ');
      throw new StatusError('NotFound', `there is no cluster ${cluster}; there are ${names === '' ? 'none' : names}`);
    }
    return evidenceFor(context, cluster);
  }

  #view(rotation: Rotation): RotationView {
    const { retireNow, withdrawn, awayAfterMs, phases, epoch, ...shown } = rotation;
    const waits = waiting(rotation, evidenceFor(this.#parts.context, rotation.cluster));
    return { ...shown, phases: [...phases], awayAfter: `${awayAfterMs / 1_000}s`, waiting: [...waits] };
  }
}

/** One as it is asked for. Throws `StatusError` for what cannot be. */
export function newRotation(request: RotationRequest, { actor, emergency, evidence }: Asked & { readonly evidence: Evidence }): Rotation {
  const { now, epoch = 0 } = evidence;
  const { cluster, kind = 'root', at, awayAfter = AWAY_AFTER } = request;
  const awayAfterMs = parseDuration(awayAfter);
  if (awayAfterMs === undefined || awayAfterMs === 0)
    throw new StatusError('BadRequest', `awayAfter is ${awayAfter}, which is no duration such as 10m`);
  const begin = at === undefined ? undefined : Date.parse(at);
  if (Number.isNaN(begin)) throw new StatusError('BadRequest', `at is ${at}, which is no time such as 2026-11-21T15:00:00Z`);
  if (begin !== undefined && begin <= now) throw new StatusError('BadRequest', `at is ${at}, which is past: leave it out to begin now`);
  if (emergency && begin !== undefined) throw new StatusError('BadRequest', 'at: an emergency begins at once');
  if (emergency && kind !== 'root')
    throw new StatusError('BadRequest', 'kind: an emergency replaces the root, below which a stolen intermediate would be good');
  const id = `${cluster.slice(0, 40)}-${randomBytes(6).toString('hex')}`;
  const when = begin === undefined ? undefined : new Date(begin).toISOString();
  return started({ id, cluster, epoch, kind, emergency, at: when, awayAfterMs, startedBy: actor, now });
}

function requireConfirmed({ confirm }: RotationRequest, breaks: readonly RotationWait[]): void {
  if (confirm === true) return;
  const list = breaks.map(({ cluster, reason }) => `${cluster}: ${reason}`).join('; ');
  throw new StatusError('BadRequest', `confirm: an emergency breaks connections. ${list}. Say confirm: true (--yes) to do it`);
}

/** Who loses connections when the old root goes at once. */
function impactOf(cluster: string, evidence: Evidence): RotationImpact {
  const breaks = evidence.members.map((member): RotationWait => {
    const names = member.agents.flatMap(({ proxies }) => proxies);
    const isHere = presenceOf(member, evidence, 0) === 'present';
    const gone = member.cluster === cluster ? [...new Set(member.agents.flatMap(({ trust }) => trust?.identities.missing ?? []))] : [];
    const stranded = gone.filter((name) => !names.includes(name));
    const left = stranded.length === 0 ? '' : `; ${stranded.join(', ')} went away and are refused by all until they are back`;
    const reason = isHere
      ? `${names.length === 1 ? '1 proxy loses' : `${names.length} proxies lose`} new connections with ${cluster} until it is told the new bundle, and connects anew what is open${left}`
      : `it is silent: its proxies lose new connections with ${cluster} until it is back`;
    return { cluster: member.cluster, reason, proxies: (isHere ? names : []).slice(0, 10), blocks: !isHere || stranded.length > 0 };
  });
  return { breaks };
}

function unknown(id: string): StatusError {
  return new StatusError('NotFound', `there is no rotation ${id}: hawser trust rotate CLUSTER starts one`);
}
