/** A machine of a WorkloadGroup: makes the probe of its group and tells the agents what came of it. */
import { isDeepStrictEqual } from 'node:util';
import { messageOf } from '@hawser/runtime/app-error.ts';
import { sleep } from '@hawser/runtime/backoff.ts';
import type { WorkloadInstruction, WorkloadProbe, WorkloadReport } from '@hawser/wire/workload-health.ts';
import type { AgentLocation } from '../agent-location.ts';
import { type AgentStream, openAgentStream } from './agent-stream.ts';
import { makeProbe } from './probes.ts';
import { planOf, type Readiness, UNDECIDED, withResult } from './readiness.ts';

/** Who the machine is, and whom it tells. */
export interface WorkloadProbeOptions {
  readonly machine: Omit<WorkloadReport, 'ready'>;
  readonly cluster: string;
  /** The token of this moment. */
  readonly token: () => string;
  readonly agent: Pick<AgentLocation, 'xds' | 'ca'>;
  /** Whether commands of the group may be run here. */
  readonly allowExec: boolean;
  readonly say: (text: string) => void;
  /** Ends it. */
  readonly signal: AbortSignal;
}

/** Starts to watch and to probe; it ends with the signal. */
export function startWorkloadProbe(options: WorkloadProbeOptions): void {
  const { agent, cluster, machine, say, signal, token } = options;
  const streams: AgentStream[] = [];
  let readiness: Readiness = UNDECIDED;
  let probe: WorkloadProbe | undefined;
  let probing = new AbortController();
  const report = (): WorkloadReport => (readiness.ready === undefined ? machine : { ...machine, ready: readiness.ready });
  const learned = (next: Readiness, reason: string): void => {
    const before = readiness.ready;
    readiness = next;
    if (next.ready === before) return;
    say(next.ready === true ? 'the workload is ready' : `the workload is not ready: ${reason}`);
    for (const stream of streams) stream.say();
  };
  const given = new Map<string, WorkloadProbe | undefined>();
  const use = (): void => {
    // Of several agents, one that has not heard of the group yet says nothing against the probe of the others.
    const next = [...given.values()].find((one) => one !== undefined);
    if (isDeepStrictEqual(next, probe)) return;
    probe = next;
    probing.abort();
    probing = new AbortController();
    if (next === undefined) return;
    void probeOften(next, { ...options, signal: AbortSignal.any([signal, probing.signal]) }, { now: () => readiness, learned });
  };
  for (const one of agent.xds.split(',')) {
    const onInstruction = (instruction: WorkloadInstruction): void => {
      given.set(one, instruction.probe);
      use();
    };
    streams.push(openAgentStream({ ...{ agent: one, ca: agent.ca, cluster, token, report, signal }, onInstruction, onProblem: say }));
  }
}

interface Verdicts {
  readonly now: () => Readiness;
  readonly learned: (next: Readiness, reason: string) => void;
}

/** A changed probe counts anew; what was decided before holds until it has decided. */
async function probeOften(probe: WorkloadProbe, options: WorkloadProbeOptions, { now, learned }: Verdicts): Promise<void> {
  const { machine, allowExec, signal } = options;
  const plan = planOf(probe);
  let counted: Readiness = { ...UNDECIDED, ready: now().ready };
  await sleep(plan.delayMs, signal);
  while (!signal.aborted) {
    const started = performance.now();
    let reason: string | undefined;
    await makeProbe(probe, { address: machine.address, allowExec, timeoutMs: plan.timeoutMs }).catch((error: unknown) => {
      reason = messageOf(error);
    });
    if (signal.aborted) return;
    counted = withResult(counted, reason === undefined, plan);
    learned(counted, reason ?? '');
    await sleep(Math.max(0, plan.periodMs - (performance.now() - started)), signal);
  }
}
