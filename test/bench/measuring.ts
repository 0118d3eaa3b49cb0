/**
 * What it costs to measure traffic, and how true it is: the hub's counts against the clients' own log while an agent, the hub and a
 * server's sidecar are killed; the agent's CPU; and latency of an Envoy that counts against one that does not, by turns.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import type { FigureBook } from '../../deploy/demo/figures.ts';
import { stream } from '../datapath/kit/load.ts';
import { MeasuredFederation, total } from '../kit/measured-federation.ts';
import type { Bench } from './bench.ts';
import { addedLatency } from './measuring-latency.ts';

const PER_SECOND = 200;
const BUSY_PER_SECOND = 1_000;
const BUSY_MS = 20_000;
/** Between two kills. */
const BETWEEN_MS = 8_000;

/** Bars of the three figures, for those who measure them among others. */
export const MEASURING_BARS: Bench['bars'] = {
  count_error: { max: 0.1, samples: 5_000 },
  added_p99_ms: { max: 0.5, samples: 4_000 },
  agent_cpu_percent: { max: 15, samples: 1 },
};

/** The benchmark. */
export const measuring: Bench = {
  name: 'measuring',
  title: `counts of traffic against the client's log at ${PER_SECOND} requests/s under kills; what counting costs`,
  bars: MEASURING_BARS,
  run: measure,
};

/** Notes the three figures. */
export async function measure(book: FigureBook): Promise<void> {
  await addedLatency(book);
  const federation = new MeasuredFederation(9);
  try {
    await federation.start();
    await agentCpu(federation, book);
    await countError(federation, book);
  } finally {
    await federation.stop();
  }
}

async function agentCpu(federation: MeasuredFederation, book: FigureBook): Promise<void> {
  const { pid } = federation.east.agent;
  const load = stream(federation.to, BUSY_PER_SECOND);
  await wait(3_000);
  const [before, began] = [cpuSeconds(pid), performance.now()];
  await wait(BUSY_MS);
  const value = ((cpuSeconds(pid) - before) / ((performance.now() - began) / 1_000)) * 100;
  const tally = await load.stop();
  federation.note(tally);
  book.note('agent_cpu_percent', { value, unit: '%', samples: 1 }, [{ requests: tally.sent }]);
}

/** User and system time of a process. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  const ticks = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
  return (Number(fields[11]) + Number(fields[12])) / ticks;
}

async function countError(federation: MeasuredFederation, book: FigureBook): Promise<void> {
  const { processes, east, log, past } = federation;
  // What the next hub goes on from must have been written.
  await federation.counted(past);
  const load = stream(federation.to, PER_SECOND);
  await wait(BETWEEN_MS);
  await east.agent.end('SIGKILL');
  await wait(2_000);
  await east.startAgain();
  await wait(BETWEEN_MS);
  await processes.hub?.end('SIGKILL');
  await wait(2_000);
  await processes.startHubAgain();
  await wait(BETWEEN_MS);
  federation.note(await load.stop());
  // Counts come within seconds, and minutes are written every ten: nothing is to come after that.
  await wait(15_000);
  const { rows } = await federation.traffic(past);
  const off = { requests: total(rows, 'requests') - log.requests, failures: total(rows, 'failures') - log.failures };
  const value = (Math.max(Math.abs(off.requests), Math.abs(off.failures)) / log.requests) * 100;
  book.note('count_error', { value, unit: '%', samples: log.requests }, [{ ...log, offRequests: off.requests, offFailures: off.failures }]);
}
