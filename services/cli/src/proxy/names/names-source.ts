/** Keeps the table of names as this machine's Envoy has it. What was known stays known while Envoy or agent are away. */
import { PORTS } from '@hawser/model/ports.ts';
import { messageOf } from '@hawser/runtime/app-error.ts';
import { sleep } from '@hawser/runtime/backoff.ts';
import { call } from '../envoy-admin.ts';
import { type NameTable, parseNameTable } from './name-table.ts';

/** Where names come from. */
export interface NamesSource {
  readonly table: NameTable | undefined;
  stop(): void;
}

/** How often it asks whether names differ; sooner as long as there are none, because callers wait. */
const LOOK_MS = 1_000;
const FIRST_LOOK_MS = 100;
const TIMEOUT_MS = 2_000;
/** A hundred thousand names. */
const LARGEST_TABLE = 1 << 23;

/**
 * Starts asking. `say` hears once of a table that cannot be read, and again when another one cannot.
 * @param hasIpv6 Whether the workload may be told virtual addresses of IPv6, at the moment.
 */
export function startNamesSource(
  say: (text: string) => void,
  hasIpv6: () => boolean,
  base = `http://127.0.0.1:${PORTS.names}`,
): NamesSource {
  const over = new AbortController();
  let table: NameTable | undefined;
  let version = '';
  let withIpv6 = false;
  let complaint = '';
  const look = async (): Promise<void> => {
    const newest = await get(`${base}/version`);
    const ipv6 = hasIpv6();
    if (newest === undefined || (newest === version && ipv6 === withIpv6)) return;
    const text = await get(`${base}/names`);
    if (text === undefined) return;
    table = parseNameTable(text, ipv6);
    [version, withIpv6] = [newest, ipv6];
  };
  const run = async (): Promise<void> => {
    while (!over.signal.aborted) {
      const problem = await look().then(() => '', messageOf);
      if (problem !== '' && problem !== complaint) say(`the names of the mesh cannot be read: ${problem}; those known before stay`);
      complaint = problem;
      await sleep(table === undefined ? FIRST_LOOK_MS : LOOK_MS, over.signal);
    }
  };
  void run();
  return {
    get table() {
      return table;
    },
    stop: () => over.abort(),
  };
}

/** The body; undefined while Envoy has none to give, or is not there. */
async function get(url: string): Promise<string | undefined> {
  try {
    const { status, body } = await call({ method: 'GET', url, timeoutMs: TIMEOUT_MS, mostBytes: LARGEST_TABLE });
    return status === 200 ? body : undefined;
  } catch {
    return undefined;
  }
}
