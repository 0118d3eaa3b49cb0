/** `demo.json`: what runs, so that people and tests can find it, and so that the next start can clean up after a SIGKILL. */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sleep } from '@hawser/runtime/backoff.ts';
import { type ProcessRecord, runsArgv, signalGroup } from './processes.ts';

/** A workload in `demo.json`. */
export interface WorkloadRecord {
  readonly service: string;
  readonly version: string;
  readonly namespace: string;
  readonly address: string;
  readonly port: number;
  readonly app: ProcessRecord | null;
  readonly proxy: ProcessRecord | null;
}

/** A cluster in `demo.json`. */
export interface ClusterRecord {
  readonly name: string;
  readonly region: string;
  readonly registryDir: string;
  readonly agent: ProcessRecord | null;
  readonly gateway: ProcessRecord | null;
  readonly workloads: readonly WorkloadRecord[];
}

/** The whole file (DESIGN.md, addresses and state). `null`: not started yet, or not ours (an external database or NATS). */
export interface DemoFile {
  readonly hub: ProcessRecord | null;
  readonly postgres: ProcessRecord | null;
  readonly nats: ProcessRecord | null;
  readonly clusters: readonly ClusterRecord[];
  /** The demo itself, its ingress and its load clients: beyond the contract. */
  readonly demo: ProcessRecord;
  readonly others: readonly ProcessRecord[];
}

const fileIn = (stateDir: string): string => join(stateDir, 'demo.json');

/** Replaces the file if it would say something else; only its owner may read it. */
export function writeDemoFile(stateDir: string, content: DemoFile): void {
  const path = fileIn(stateDir);
  if (JSON.stringify(readDemoFile(stateDir)) === JSON.stringify(content)) return;
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
  renameSync(temporary, path);
}

/** The file as it is; undefined when there is none, or none that can be read. */
export function readDemoFile(stateDir: string): DemoFile | undefined {
  try {
    return JSON.parse(readFileSync(fileIn(stateDir), 'utf8')) as DemoFile;
  } catch {
    return undefined;
  }
}

/** Takes the file away. */
export function removeDemoFile(stateDir: string): void {
  rmSync(fileIn(stateDir), { force: true });
}

/** Every process that the file records, the demo itself left out. */
export function recordedProcesses(file: DemoFile): ProcessRecord[] {
  const clusters = file.clusters.flatMap(({ agent, gateway, workloads }) => [
    agent,
    gateway,
    ...workloads.flatMap(({ app, proxy }) => [proxy, app]),
  ]);
  return [file.hub, ...clusters, ...file.others, file.postgres, file.nats].filter((record) => record !== null);
}

/** Ends what an earlier demo left: only recorded processes that still run the recorded command. Says how many there were. */
export async function endOrphans(file: DemoFile): Promise<number> {
  const orphans = recordedProcesses(file).filter(({ pid, argv }) => runsArgv(pid, argv));
  for (const { pid } of orphans) signalGroup(pid, 'SIGKILL');
  for (let waited = 0; waited < 5_000 && orphans.some(({ pid, argv }) => runsArgv(pid, argv)); waited += 50) await sleep(50);
  return orphans.length;
}
