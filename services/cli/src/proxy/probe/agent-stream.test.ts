/** A machine's stream to the agent's real xDS door: who may speak there, what is said both ways, and coming back after an agent's restart. */
import { once } from 'node:events';
import { createSecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { WorkloadReadiness } from '@hawser/agent/discover/workload-readiness.ts';
import { SnapshotStore } from '@hawser/agent/snapshot/snapshot-store.ts';
import type { Resource } from '@hawser/model/resource.ts';
import type { WorkloadInstruction, WorkloadReport } from '@hawser/wire/workload-health.ts';
import { afterEach, describe, expect, it } from 'vitest';
import { createTrustDomain } from '../../../../../test/datapath/kit/pki.ts';
import { startAdsAgent, type TestAdsAgent, type TestAdsAgentOptions } from '../../../../../test/kit/ads-agent.ts';
import { type AgentStream, type AgentStreamOptions, openAgentStream } from './agent-stream.ts';

const PATIENCE = { timeout: 20_000 };
const MACHINE = { name: 'vm-1', address: '10.0.0.7', namespace: 'bookinfo', serviceAccount: 'reviews' };

function groups(...ports: readonly number[]): ReadonlyMap<string, Resource> {
  const group = { apiVersion: 'networking.istio.io/v1', kind: 'WorkloadGroup', metadata: { namespace: 'bookinfo', name: 'machines' } };
  return new Map(
    ports.map((port) => ['WorkloadGroup/bookinfo/machines', { ...group, spec: { template: {}, probe: { tcpSocket: { port } } } }]),
  );
}

/** An agent and a machine that speaks to it. */
class Meeting {
  readonly #over = new AbortController();
  readonly readiness: WorkloadReadiness;
  readonly given: WorkloadInstruction[] = [];
  readonly problems: string[] = [];
  report: WorkloadReport = { name: 'vm-1', address: '10.0.0.7', group: 'machines' };
  policies = groups(81);
  changes = 0;
  agent!: TestAdsAgent;
  stream!: AgentStream;

  constructor() {
    this.readiness = new WorkloadReadiness(
      () => this.policies,
      () => {
        this.changes += 1;
      },
    );
  }

  async start(agent: Partial<TestAdsAgentOptions> = {}, stream: Partial<AgentStreamOptions> = {}): Promise<void> {
    this.agent = await startAdsAgent({ store: new SnapshotStore(), readiness: this.readiness, ...agent });
    this.stream = openAgentStream({
      ...{ agent: `127.0.0.1:${this.agent.server().port}`, cluster: 'us-east' },
      token: await sayingAlways(this.agent.token()),
      ...(agent.tls === true ? { ca: this.agent.authority.trustBundle.join('') } : {}),
      ...{ report: () => this.report, signal: this.#over.signal },
      onInstruction: (instruction) => this.given.push(instruction),
      onProblem: (problem) => this.problems.push(problem),
      ...stream,
    });
  }

  async end(): Promise<void> {
    this.#over.abort();
    await this.agent.stop();
  }
}

let meeting: Meeting;
afterEach(() => meeting.end());

describe.each([false, true])("a machine's stream, by TLS: %s", (tls) => {
  it('is given the probe, says what came of it, and hears of another one', async () => {
    meeting = new Meeting();
    await meeting.start({ tls });
    await expect.poll(() => meeting.given, PATIENCE).toEqual([{ probe: { tcpSocket: { port: 81 } } }]);
    expect(meeting.readiness.readyOf(MACHINE)).toBeUndefined();
    for (const ready of [true, false]) {
      meeting.report = { ...meeting.report, ready };
      meeting.stream.say();
      await expect.poll(() => meeting.readiness.readyOf(MACHINE), PATIENCE).toBe(ready);
    }
    await expect.poll(() => meeting.changes, PATIENCE).toBe(2);
    meeting.policies = groups(82);
    meeting.readiness.tell();
    meeting.readiness.tell();
    await expect.poll(() => meeting.given.at(-1), PATIENCE).toEqual({ probe: { tcpSocket: { port: 82 } } });
    meeting.policies = groups();
    meeting.readiness.tell();
    await expect.poll(() => meeting.given.length, PATIENCE).toBe(3);
    expect(meeting.given.at(-1)).toEqual({});
  });
});

it('comes back to an agent that was restarted, and says how it is', async () => {
  meeting = new Meeting();
  meeting.report = { ...meeting.report, ready: true };
  await meeting.start();
  await expect.poll(() => meeting.readiness.readyOf(MACHINE), PATIENCE).toBe(true);
  await meeting.agent.restart(new SnapshotStore());
  await expect.poll(() => meeting.given.length, PATIENCE).toBe(2);
  await expect.poll(() => meeting.readiness.readyOf(MACHINE), PATIENCE).toBe(true);
  expect(meeting.problems).toEqual([expect.stringContaining('trying again')]);
});

it.each<[string, Partial<AgentStreamOptions>, string]>([
  ['without a token that the agent knows', { token: () => 'nonsense' }, 'grpc-status 16'],
  ['of another name than its token', { report: () => ({ name: 'vm-2', address: '10.0.0.7', group: 'machines' }) }, 'grpc-status 7'],
  ['with what is no report', { report: () => ({ name: 'vm-1', address: 'nowhere', group: 'machines' }) }, 'grpc-status 3'],
])('is refused %s', async (_what, stream, problem) => {
  meeting = new Meeting();
  await meeting.start();
  const token = await sayingAlways(meeting.agent.token({ name: 'vm-1' }));
  const second = new AbortController();
  const problems: string[] = [];
  openAgentStream({
    ...{ agent: `127.0.0.1:${meeting.agent.server().port}`, cluster: 'us-east', token, report: () => meeting.report },
    ...{ onInstruction: () => undefined, onProblem: (text: string) => problems.push(text), ...stream, signal: second.signal },
  });
  await expect.poll(() => problems, PATIENCE).toEqual([expect.stringContaining(problem)]);
  second.abort();
});

it('says nothing to who does not prove to be the agent of its cluster: another authority, or a workload of its own', async () => {
  meeting = new Meeting();
  await meeting.start({ tls: true });
  const { authority } = meeting.agent;
  const workload = await authority.issue({ namespace: 'bookinfo', serviceAccount: 'reviews' });
  const heard: string[] = [];
  const impostor = createSecureServer({ cert: workload.certificateChainPem, key: workload.privateKeyPem });
  impostor.on('stream', (_stream, headers) => heard.push(String(headers[':path'])));
  await once(impostor.listen(0, '127.0.0.1'), 'listening');
  const { port } = impostor.address() as AddressInfo;
  const [over, problems] = [new AbortController(), [] as string[]];
  const opened = {
    cluster: 'us-east',
    token: await sayingAlways(meeting.agent.token()),
    report: () => meeting.report,
    signal: over.signal,
  };
  const hears = { onInstruction: () => undefined, onProblem: (text: string) => problems.push(text) };
  openAgentStream({ ...opened, ...hears, agent: `127.0.0.1:${port}`, ca: authority.trustBundle.join('') });
  await expect.poll(() => problems, PATIENCE).toEqual([expect.stringContaining('it is not the agent of us-east: URI:spiffe://')]);
  const door = `127.0.0.1:${meeting.agent.server().port}`;
  openAgentStream({ ...opened, ...hears, agent: door, ca: (await createTrustDomain('stranger')).bundle });
  await expect.poll(() => problems.length, PATIENCE).toBe(2);
  over.abort();
  expect(heard).toEqual([]);
  impostor.close();
});

async function sayingAlways(token: Promise<string>): Promise<() => string> {
  const text = await token;
  return () => text;
}
