/** One rotation by the hub's API, to its end; and one in which something is killed while it is in a given phase. */
import type { RotationPhase, RotationView } from '@hawser/wire/trust.ts';
import { runsArgv, signalGroup } from '../../deploy/demo/processes.ts';
import type { Federation } from './federation.ts';
import { ask } from './kept-alive.ts';

/** What is rotated. */
export interface RotationOf {
  readonly cluster: string;
  readonly kind: 'root' | 'intermediate';
}

/** How it went. */
export interface Rotated extends RotationOf {
  /** From the beginning until every certificate is issued anew and acknowledged, and until the end, seconds. */
  readonly activatedS: number;
  readonly doneS: number;
}

/** What is killed. */
export type Victim = 'hub' | 'nats';

/** The phases in which something is killed. */
export const PHASES = ['Preparing', 'Activating', 'Tainting', 'Retiring'] as const;

const LOOK_MS = 5;
const DEADLINE_MS = 120_000;
const DOWN_MS = 3_000;
/** A phase may be over in a few milliseconds: the kill is aimed at it again. */
const AIMS = 4;

/** Rotates, and resolves when it is done. */
export async function rotate(federation: Federation, of: RotationOf): Promise<Rotated> {
  const begun = await begin(federation, of);
  return told(federation, await ended(federation, begun.id), of);
}

/** Rotates, and kills the victim in the phase; it is back after some seconds, and the rotation goes to its end. */
export async function killIn(federation: Federation, of: RotationOf, at: { phase: RotationPhase; victim: Victim }): Promise<Rotated> {
  for (let aim = 1; ; aim += 1) {
    const { id } = await begin(federation, of);
    await until(federation, id, ({ phase }) => phase === at.phase || phase === 'Done');
    const killedAt = Date.now();
    await (at.victim === 'hub' ? withoutHub(federation) : withoutNats(federation));
    const rotation = await ended(federation, id);
    const hit = phaseAt(rotation, killedAt);
    federation.say.done(`${at.victim} was killed in ${hit}, aimed at ${at.phase}`);
    if (hit === at.phase || aim === AIMS) {
      if (hit !== at.phase) federation.say.warn(`${at.phase} was never met in ${AIMS} rotations`);
      return told(federation, rotation, of);
    }
  }
}

function told({ say }: Federation, { phases }: RotationView, of: RotationOf): Rotated {
  const time = (wanted: RotationPhase): number => Date.parse(phases.find(({ phase }) => phase === wanted)?.at ?? '');
  const [began, activated, done] = [time('Preparing'), time('Tainting'), time('Done')];
  const rotated = { ...of, activatedS: (activated - began) / 1_000, doneS: (done - began) / 1_000 };
  say.done(`${of.kind} of ${of.cluster}: activated after ${rotated.activatedS.toFixed(2)} s, done after ${rotated.doneS.toFixed(2)} s`);
  return rotated;
}

function phaseAt({ phases }: RotationView, time: number): RotationPhase {
  return phases.findLast(({ at }) => Date.parse(at) <= time)?.phase ?? 'Pending';
}

async function begin({ hub }: Federation, of: RotationOf): Promise<RotationView> {
  const answer = await ask({ method: 'POST', url: `${hub.url}/hawser/v1/trust/rotations`, token: hub.token, body: of });
  return JSON.parse(answer) as RotationView;
}

async function ended(federation: Federation, id: string): Promise<RotationView> {
  const rotation = await until(federation, id, ({ phase }) => ['Done', 'Failed', 'RolledBack'].includes(phase));
  if (rotation.phase !== 'Done') throw new Error(`the rotation ended as ${rotation.phase}: ${rotation.message}`);
  return rotation;
}

/** A hub that is away is asked again. */
async function until({ hub }: Federation, id: string, holds: (rotation: RotationView) => boolean): Promise<RotationView> {
  const deadline = performance.now() + DEADLINE_MS;
  let last: RotationView | undefined;
  while (performance.now() < deadline) {
    const answer = await ask({ url: `${hub.url}/hawser/v1/trust/rotations/${id}`, token: hub.token }).catch(() => undefined);
    last = answer === undefined ? last : (JSON.parse(answer) as RotationView);
    if (answer !== undefined && last !== undefined && holds(last)) return last;
    await pause(LOOK_MS);
  }
  throw new Error(`a rotation does not go on: ${JSON.stringify(last)}`);
}

async function withoutHub({ fleet }: Federation): Promise<void> {
  await fleet.processes.kill(...fleet.named('hub'));
  await pause(DOWN_MS);
  await fleet.startHub();
}

/** The hub starts it again at once: it is killed as often as it comes back. */
async function withoutNats({ fleet }: Federation): Promise<void> {
  for (const end = performance.now() + DOWN_MS; performance.now() < end; await pause(50)) {
    const record = fleet.serverOf('nats');
    if (record !== null && runsArgv(record.pid, record.argv)) signalGroup(record.pid, 'SIGKILL');
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
