import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Resource } from '@hawser/model/resource.ts';
import type { FleetAnswer } from '@hawser/wire/hub-api.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canLimitFiles, limitFiles } from '../../../test/kit/full-disk.ts';
import { standStill } from '../../../test/kit/stand-still.ts';
import { account } from '../../../test/kit/totals.ts';
import { type FakeCluster, HubProcess, joinCluster } from './hub-process-fixture.ts';

const POLICIES = '/apis/hawser.dev/v1alpha1/namespaces/bookinfo/failoverpolicies';

let folder: string;
let hub: HubProcess;
let cluster: FakeCluster;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hawser-faults-'));
  hub = await HubProcess.start(folder);
  cluster = await joinCluster(hub, 'us-east');
}, 60_000);

afterAll(async () => {
  await cluster.bus.close();
  await hub.end('SIGTERM');
  rmSync(folder, { recursive: true, force: true });
}, 90_000);

function post(name: string): Promise<{ readonly status: number; readonly body: Resource }> {
  const metadata = { name, namespace: 'bookinfo' };
  const body = { apiVersion: 'hawser.dev/v1alpha1', kind: 'FailoverPolicy', metadata, spec: { order: ['us-east'] } };
  return hub.call<Resource>('POST', POLICIES, body);
}

/** Writes a policy; answers its revision, or undefined when the hub did not acknowledge it. */
async function write(name: string): Promise<number | undefined> {
  const answer = await post(name);
  return answer.status === 201 ? Number(answer.body.metadata.resourceVersion) : undefined;
}

async function published(revision: number): Promise<void> {
  const read = async (): Promise<number> => (await hub.call<FleetAnswer>('GET', '/hawser/v1/status')).body.hub.published;
  await expect.poll(read, { timeout: 40_000 }).toBeGreaterThanOrEqual(revision);
}

/** A process and those that it started: PostgreSQL has one for each connection. */
function withChildren(pid: number): readonly number[] {
  return [pid, ...readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number)];
}

/** Connections that their clients gave up end as soon as they can: who has gone needs no signal. */
function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
    }
  }
}

/** The most memory that a process has ever had, MiB. */
function peakMib(pid: number): number {
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

describe('a crowd with large bodies', () => {
  it('is refused in part, costs the hub a bounded part of its memory, and nobody else notices', async () => {
    // 800 MiB of JSON if the hub took all of it at once, and several times that while it is read.
    const metadata = { name: 'x'.repeat(8 * 1024 * 1024) };
    const body = JSON.stringify({ apiVersion: 'hawser.dev/v1alpha1', kind: 'FailoverPolicy', metadata, spec: {} });
    const send = async (): Promise<number> => (await fetch(hub.url + POLICIES, { method: 'POST', headers: hub.headers, body })).status;
    // Who is refused while it still writes may see the connection end before the answer.
    const answers = await Promise.all(Array.from({ length: 100 }, () => send().catch(() => 429)));
    expect(answers).toContain(429);
    expect(answers.filter((code) => ![422, 429, 503, 504].includes(code))).toEqual([]);
    expect(peakMib(hub.processes.hub.pid)).toBeLessThan(1200);
    await expect.poll(async () => (await hub.call('GET', POLICIES)).status, { timeout: 30_000 }).toBe(200);
    expect(await write('after')).toBeGreaterThan(0);
  }, 120_000);
});

describe('the hub keeps its word', () => {
  it('PostgreSQL killed while it commits: no acknowledged write is lost, and none comes by halves', async () => {
    const acked: { readonly name: string; readonly revision: number }[] = [];
    for (let kill = 0; kill < 2; kill += 1) {
      const before = hub.processes.postgres?.pid ?? 0;
      let isKilled = false;
      const writer = async (number: number): Promise<void> => {
        for (let count = 0; !isKilled || count < 3; count += 1) {
          const name = `kill-${kill}-${number}-${count}`;
          const revision = await write(name);
          if (revision !== undefined) acked.push({ name, revision });
          if (number === 0 && count === 5) {
            process.kill(before, 'SIGKILL');
            isKilled = true;
          }
        }
      };
      await Promise.all([0, 1, 2, 3].map(writer));
      await expect.poll(() => hub.processes.postgres?.pid, { timeout: 30_000 }).not.toBe(before);
      await expect.poll(async () => (await hub.call('GET', POLICIES)).status, { timeout: 30_000 }).toBe(200);
    }
    const { items } = (await hub.call<{ readonly items: readonly Resource[] }>('GET', POLICIES)).body;
    const stored = new Map(items.map(({ metadata }) => [metadata.name, Number(metadata.resourceVersion)]));
    const lost = acked.filter(({ name, revision }) => stored.get(name) !== revision);
    account({ writes: acked.length, lost: lost.length });
    expect(acked.length).toBeGreaterThan(10);
    expect(lost).toEqual([]);
    await published(Math.max(...stored.values()));
    const onBus = await hub.stored();
    const missing = [...stored.keys()].filter((name) => !onBus.has(`hawser.config.us-east.policy.failoverpolicies.bookinfo.${name}`));
    expect(missing).toEqual([]);
  }, 120_000);

  it('PostgreSQL stopped and continued: every request ends in time, and no acknowledged write is lost', async () => {
    const postmaster = hub.processes.postgres?.pid ?? 0;
    let stopped: readonly number[] = [];
    const acked = new Map<string, number>();
    const refused: number[] = [];
    let [isOver, longest] = [false, 0];
    const writer = async (number: number): Promise<void> => {
      for (let count = 0; !isOver; count += 1) {
        const startedAt = performance.now();
        const name = `still-${number}-${count}`;
        const answer = await post(name);
        longest = Math.max(longest, performance.now() - startedAt);
        if (answer.status === 201) acked.set(name, Number(answer.body.metadata.resourceVersion));
        else refused.push(answer.status);
      }
    };
    const writers = [0, 1, 2, 3].map(writer);
    try {
      await expect.poll(() => acked.size, { timeout: 30_000 }).toBeGreaterThan(10);
      // First it, so that no other comes while they are looked up.
      process.kill(postmaster, 'SIGSTOP');
      stopped = withChildren(postmaster);
      signalAll(stopped, 'SIGSTOP');
      expect(stopped.length).toBeGreaterThan(3);
      await expect.poll(() => refused.length, { timeout: 60_000 }).toBeGreaterThan(3);
      expect((await fetch(`${hub.url}/readyz`)).status).toBe(503);
      expect((await fetch(`${hub.url}/livez`)).status).toBe(200);
      signalAll(stopped, 'SIGCONT');
      const before = acked.size;
      await expect.poll(() => acked.size, { timeout: 60_000 }).toBeGreaterThan(before + 10);
    } finally {
      signalAll(stopped, 'SIGCONT');
      isOver = true;
      await Promise.all(writers);
    }
    expect([...new Set(refused)].filter((code) => code !== 503 && code !== 504)).toEqual([]);
    // The deadline is 30 s; the rest is for a busy machine.
    expect(longest).toBeLessThan(40_000);
    const { items } = (await hub.call<{ readonly items: readonly Resource[] }>('GET', POLICIES)).body;
    const stored = new Map(items.map(({ metadata }) => [metadata.name, Number(metadata.resourceVersion)]));
    expect([...acked].filter(([name, revision]) => stored.get(name) !== revision)).toEqual([]);
    await published(Math.max(...acked.values()));
  }, 180_000);

  it('NATS stopped: writes are acknowledged, the outbox grows, and drains when it goes on', async () => {
    const pid = hub.processes.nats?.pid ?? 0;
    await standStill(pid);
    let last = 0;
    try {
      for (let count = 0; count < 5; count += 1) last = (await write(`stopped-${count}`)) ?? Number.NaN;
      expect(last).toBeGreaterThan(0);
      await expect.poll(() => hub.metric('hub_outbox_depth'), { timeout: 10_000 }).toBeGreaterThanOrEqual(5);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await published(last);
    expect(await hub.metric('hub_outbox_depth')).toBe(0);
    const onBus = [...(await hub.stored()).keys()].filter((subject) => subject.includes('.stopped-'));
    account({ writes: 5, lost: 5 - onBus.length });
    expect(onBus).toHaveLength(5);
  }, 90_000);

  it.runIf(canLimitFiles())(
    'PostgreSQL’s disk takes nothing: what was acknowledged stays, nothing more is, and with room it goes on',
    async () => {
      const acked = new Map<string, number>();
      const attempt = async (name: string): Promise<void> => {
        const revision = await write(name);
        if (revision !== undefined) acked.set(name, revision);
      };
      for (const name of ['room-1', 'room-2']) await attempt(name);
      expect(acked.size).toBe(2);
      const { hub: own, postgres } = hub.processes;
      limitFiles([own.pid, postgres?.pid ?? 0], 1);
      try {
        for (let count = 0; count < 4; count += 1) await attempt(`full-${count}`);
        expect([...acked.keys()]).toEqual(['room-1', 'room-2']);
        expect((await fetch(`${hub.url}/livez`)).status).toBe(200);
      } finally {
        limitFiles([own.pid, hub.processes.postgres?.pid ?? 0], 'unlimited');
      }
      await expect.poll(async () => (await hub.call('GET', POLICIES)).status, { timeout: 60_000 }).toBe(200);
      await attempt('room-again');
      const { items } = (await hub.call<{ readonly items: readonly Resource[] }>('GET', POLICIES)).body;
      const stored = new Map(items.map(({ metadata }) => [metadata.name, Number(metadata.resourceVersion)]));
      const lost = [...acked].filter(([name, revision]) => stored.get(name) !== revision);
      account({ writes: acked.size, lost: lost.length });
      expect(lost).toEqual([]);
      expect(acked.has('room-again')).toBe(true);
      await published(Math.max(...stored.values()));
    },
    120_000,
  );
});
