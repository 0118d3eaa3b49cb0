/** `STATE_DIR/hub/processes.json`: the hub and the servers it brought, so that an outsider can kill or restart them. */
import { createServer } from 'node:net';
import { join } from 'node:path';
import { AppError } from '@hawser/runtime/app-error.ts';
import { readIfThere, writeDurably } from '@hawser/runtime/durable-file.ts';
import { isAlive, type ProcessRecord, runsCommand } from '@hawser/runtime/process-record.ts';

/** The processes of one hub; servers that somebody else runs are missing. */
export interface HubProcesses {
  readonly hub: ProcessRecord;
  /** Where the API answers on this machine, with its scheme. */
  readonly url?: string;
  readonly postgres?: ProcessRecord;
  readonly nats?: ProcessRecord;
}

/** The record of this very process. */
export function ownRecord(address: string): ProcessRecord {
  const env = Object.entries(process.env).filter(
    (entry): entry is [string, string] => entry[0].startsWith('HAWSER_') && entry[1] !== undefined,
  );
  const argv = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  return { pid: process.pid, argv, env: Object.fromEntries(env), cwd: process.cwd(), address };
}

/** Refuses a second hub on one state folder, which would stop the first one's servers when it ends, and a port that is taken. */
export async function refuseSecondHub(stateDir: string, api: { readonly address: string; readonly port: number }): Promise<void> {
  const hub = await recordedHub(stateDir);
  if (hub !== undefined && hub.pid !== process.pid && isAlive(hub.pid) && runsCommand(hub.pid, hub.argv)) {
    throw new AppError('already-running', `a hub of ${stateDir} runs already: process ${hub.pid} at ${hub.address}`);
  }
  await new Promise<void>((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (error) => {
      const why = 'code' in error && error.code === 'EADDRINUSE' ? 'is taken by another program' : `cannot be bound: ${error.message}`;
      reject(
        new AppError('port-taken', `port ${api.port} on ${api.address}, which the hub's API needs, ${why}: stop that one, or use --port`),
      );
    });
    probe.listen(api.port, api.address, () => probe.close(() => resolve()));
  });
}

/** Writes the file whenever `read` answers with another set of processes than before; look again with the returned function. */
export function processesFile(stateDir: string, read: () => HubProcesses): () => Promise<void> {
  let written = '';
  return async () => {
    const text = `${JSON.stringify(read(), null, 2)}\n`;
    if (text === written) return;
    await writeDurably(fileOf(stateDir), text);
    written = text;
  };
}

async function recordedHub(stateDir: string): Promise<ProcessRecord | undefined> {
  const text = await readIfThere(fileOf(stateDir));
  try {
    const value = JSON.parse(text ?? 'null') as Partial<HubProcesses> | null;
    return typeof value?.hub?.pid === 'number' && Array.isArray(value.hub.argv) ? value.hub : undefined;
  } catch {
    return undefined;
  }
}

function fileOf(stateDir: string): string {
  return join(stateDir, 'hub', 'processes.json');
}
