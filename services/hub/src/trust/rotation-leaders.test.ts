/** A rotation whose leader is killed in every phase: two replicas of a hub over real PostgreSQL and NATS, two clusters that speak as agents do. */
import { watchDocuments } from '@hawser/bus/document-watcher.ts';
import { type Document, HUB, PROTOCOL, seal } from '@hawser/wire/envelope.ts';
import { verifierOf } from '@hawser/wire/signing.ts';
import { CONFIG_PREFIX, CONFIG_STREAM, configSubjects, statusSubject, TRUST_KEY } from '@hawser/wire/subjects.ts';
import type { RotationView, TrustOrder, TrustPhase } from '@hawser/wire/trust.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { statusOf } from '../fleet/fleet-fixture.ts';
import { type FakeCluster, type HubProcess, joinCluster, silent } from '../hub-process-fixture.ts';
import { type HubReplicas, startHubReplicas } from '../hub-replicas-fixture.ts';
import { trustOf } from './rotation-fixture.ts';

const ROTATIONS = '/hawser/v1/trust/rotations';
const PHASES = [
  ['Preparing', 'prepare'],
  ['Activating', 'activate'],
  ['Tainting', 'taint'],
  ['Retiring', 'retire'],
] as const satisfies readonly (readonly [string, TrustPhase])[];
const SAID_EVERY_MS = 250;
const DEADLINE_MS = 180_000;

let replicas: HubReplicas;
let clusters: readonly FakeCluster[];
let speaking: NodeJS.Timeout;
let rotation = 'none';
let done: TrustPhase | undefined;
let said = 0;
/** What the rotating cluster is told, in order. */
const told: { readonly order: TrustOrder; readonly revision: number }[] = [];

/** Each agent says how it is, all the time: one that falls silent is waited for. */
function speak(): void {
  said += 1;
  for (const { membership, signer, bus } of clusters) {
    const { cluster, epoch } = membership;
    const head = { protocol: PROTOCOL, from: cluster, to: HUB, key: 'status', epoch, revision: said, part: 0, parts: 1 };
    if (bus.connected)
      bus.publish(statusSubject(cluster), seal({ ...head, body: { ...statusOf(0), trust: trustOf(rotation, done) } }, signer));
  }
}

function note(document: Document): void {
  if (document.key === TRUST_KEY) told.push({ order: document.body as TrustOrder, revision: document.revision });
}

beforeAll(async () => {
  replicas = await startHubReplicas();
  const [hub] = replicas.hubs;
  clusters = [await joinCluster(hub, 'east'), await joinCluster(hub, 'west')];
  const [{ membership, bus }] = clusters as [FakeCluster, FakeCluster];
  watchDocuments({
    ...{ bus, stream: CONFIG_STREAM, prefix: CONFIG_PREFIX, filter: configSubjects('east'), owner: 'to', log: silent },
    verifierOf: (from) => (from === HUB ? verifierOf(membership.hubKey) : undefined),
    accept: (document) => document.to === 'east',
    onDocument: note,
    onRefused: () => undefined,
    onDigest: () => undefined,
  });
  speaking = setInterval(speak, SAID_EVERY_MS);
}, DEADLINE_MS);

afterAll(async () => {
  clearInterval(speaking);
  for (const { bus } of clusters ?? []) await bus.close();
  await replicas?.stop();
}, DEADLINE_MS);

describe('a rotation', { timeout: DEADLINE_MS }, () => {
  const phaseAt = async (hub: HubProcess): Promise<string | undefined> =>
    (await hub.call<RotationView>('GET', `${ROTATIONS}/${rotation}`)).body.phase;
  const comesTo = async (hub: HubProcess, phase: string): Promise<void> => {
    await expect.poll(() => phaseAt(hub), { timeout: 30_000, interval: 50 }).toBe(phase);
  };

  it('goes on under another leader, whatever phase its leader is killed in: no step is left out, or told twice', async () => {
    let { leader } = await replicas.roles();
    const started = async (): Promise<number> => {
      const { status, body } = await leader.call<RotationView>('POST', ROTATIONS, { cluster: 'east', kind: 'root' });
      if (status === 201) rotation = body.id;
      return status;
    };
    await expect.poll(started, { timeout: 30_000, interval: 200 }).toBe(201);
    for (const [phase, step] of PHASES) {
      await comesTo(leader, phase);
      const killed = leader;
      const others = replicas.hubs.filter((hub) => hub !== killed);
      await killed.end('SIGKILL');
      ({ leader } = await replicas.roles(others));
      expect(await phaseAt(leader)).toBe(phase);
      await expect.poll(() => told.at(-1)?.order, { timeout: 30_000, interval: 50 }).toMatchObject({ rotation, phase: step });
      done = step;
      await killed.start();
    }
    await comesTo(leader, 'Done');
    const { phases } = (await leader.call<RotationView>('GET', `${ROTATIONS}/${rotation}`)).body;
    expect(phases.map(({ phase }) => phase)).toEqual(['Pending', ...PHASES.map(([phase]) => phase), 'Done'].slice(-phases.length));
    const steps = told.map(({ order }) => order.phase).filter((step, index, all) => step !== all[index - 1]);
    expect(steps).toEqual(PHASES.map(([, step]) => step));
    expect(told.map(({ revision }) => revision)).toEqual(told.map(({ revision }) => revision).toSorted((a, b) => a - b));
  });
});
