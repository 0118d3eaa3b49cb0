/**
 * Our agent and go-control-plane side by side, with identical resources and one client for both: what `xds`, `burst`, `connect`
 * and `memory` stand on (docs/decisions/0010-benchmarks-against-a-peer.md).
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fromBinary } from '@bufbuild/protobuf';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { AnySchema } from '@bufbuild/protobuf/wkt';
import { mintProxyToken } from '@hawser/agent/trust/proxy-tokens.ts';
import { typeUrlOf } from '@hawser/agent/xds/type-urls.ts';
import { PORTS } from '@hawser/model/ports.ts';
import { clusterFiles } from '../../deploy/demo/specs.ts';
import { AdsProcess, adsProgram, monotonic } from './ads-program.ts';
import { type Federation, inFederation } from './federation.ts';
import { assignmentName, changedAddress, changeEndpoint, firstAddress, MANY, MARKER, writeServices } from './many-services.ts';

/** The two that are compared. */
export type Side = 'ours' | 'peer';
export const SIDES: readonly Side[] = ['ours', 'peer'];

const CLUSTER = 'us-east';
/** After the last message, longer than a quiet server still has something to say. */
const QUIET_MS = 1_500;

/** How large it is. */
export interface RigSize {
  readonly services: number;
  readonly clients: number;
}

/** How streams are opened; all the identities, with delta, unless said otherwise. */
export interface FleetOf {
  readonly count?: number;
  readonly sotw?: boolean;
}

/** Clients that are connected, each with a full configuration. */
export interface ClientFleet {
  readonly process: AdsProcess;
  /** Milliseconds from the start of all streams to the last full configuration. */
  readonly fullMs: number;
}

/** A change that was made: to be waited for. */
export interface Change {
  readonly number: number;
  readonly at: number;
}

/** The agent that is measured, and where the peer listens. */
export interface RigPlace {
  readonly cluster: string;
  readonly agentDir: string;
  readonly registryDir: string;
  /** `IP:PORT` of its xDS. */
  readonly xds: string;
  readonly pid: number;
  /** Where files of the rig go. */
  readonly folder: string;
  readonly peerListen: string;
}

/** Both servers, up. */
export class XdsRig {
  readonly size: RigSize;
  readonly #place: RigPlace;
  readonly #program: string;
  #peer: AdsProcess | undefined;
  #peerAddress = '';
  #counts = '';
  #assignments: ReadonlyMap<string, Buffer> = new Map();
  #changes = 0;

  constructor(place: RigPlace, size: RigSize, program: string) {
    this.#place = place;
    this.size = size;
    this.#program = program;
  }

  /** Mints the clients' tokens, takes what our agent serves as the peer's resources, and starts the peer; returns how many of each type. */
  async start(): Promise<readonly number[]> {
    await this.#writeIdentities();
    const dump = await this.dump('ours');
    this.#assignments = assignmentsIn(readFileSync(dump.file));
    this.#counts = dump.counts.join(',');
    const peer = new AdsProcess(this.#program, ['peer', '-listen', this.#place.peerListen, '-resources', dump.file]);
    this.#peer = peer;
    this.#peerAddress = (await peer.next('listening')).address ?? '';
    return dump.counts;
  }

  async stop(): Promise<void> {
    await this.#peer?.stop();
  }

  /** Process id of a server. */
  pid(side: Side): number {
    return side === 'ours' ? this.#place.pid : (this.#peer?.pid ?? 0);
  }

  /** Resident memory of a server, MiB. */
  rssMiB(side: Side): number {
    return rssMiB(this.pid(side));
  }

  /** Opens streams, all at once, and resolves when each has a full configuration. */
  async connect(side: Side, { count = this.size.clients, sotw = false }: FleetOf = {}): Promise<ClientFleet> {
    const process = this.#client(side, ['-count', String(count), '-expect', this.#counts, ...(sotw ? ['-sotw'] : [])]);
    const { started = 0, at = [] } = await process.next('full');
    return { process, fullMs: (Math.max(...at) - started) / 1_000 };
  }

  /** Changes one endpoint of a service, where the product takes such a change: a file for us, a line of its own for the peer. */
  change(side: Side, fleet: ClientFleet, service: number): Change {
    this.#changes += 1;
    return this.#make(side, fleet, { service, number: this.#changes });
  }

  /** The same change on both sides; resolves when every client of both has it. */
  async changeBoth(fleets: Readonly<Record<Side, ClientFleet>>, service: number): Promise<void> {
    this.#changes += 1;
    for (const side of SIDES) await this.delivered(fleets[side], this.#make(side, fleets[side], { service, number: this.#changes }));
  }

  #make(side: Side, fleet: ClientFleet, { service, number }: { service: number; number: number }): Change {
    fleet.process.send(`expect ${number} ${assignmentName(service)}`);
    const address = changedAddress(number);
    if (side === 'ours') return { number, at: changeEndpoint(this.#place.registryDir, service, address) };
    const line = `${typeUrlOf('EDS')} ${this.#assignment(service, address).toString('base64')}`;
    const at = monotonic();
    this.#peer?.send(line);
    return { number, at };
  }

  /** Milliseconds from a change to each client. */
  async delivered(fleet: ClientFleet, change: Change): Promise<number[]> {
    const { at = [] } = await fleet.process.next('change', ({ number }) => number === change.number);
    return at.map((one) => (one - change.at) / 1_000);
  }

  /** Milliseconds from each of the changes to each client, in no order. */
  async allDelivered(fleet: ClientFleet, changes: readonly Change[]): Promise<Float64Array> {
    const made = new Map(changes.map(({ number, at }) => [number, at]));
    const times: number[] = [];
    while (made.size > 0) {
      const { number = -1, at = [] } = await fleet.process.next('change');
      const from = made.get(number) ?? Number.NaN;
      for (const one of at) times.push((one - from) / 1_000);
      made.delete(number);
    }
    return Float64Array.from(times);
  }

  /** Everything one client gets from a server, in a file of length-delimited `Any`, and how many of each type. */
  async dump(side: Side): Promise<{ file: string; counts: readonly number[] }> {
    const file = join(this.#place.folder, `${side}.resources`);
    const client = this.#client(side, ['-count', '1', '-dump', file, '-expect', `${this.size.services},${this.size.services},1,1`]);
    try {
      await client.next('full');
      await wait(QUIET_MS);
      client.send('dump');
      return { file, counts: (await client.next('dumped')).counts ?? [] };
    } finally {
      await client.stop();
    }
  }

  #client(side: Side, args: readonly string[]): AdsProcess {
    const server = side === 'ours' ? this.#place.xds : this.#peerAddress;
    return new AdsProcess(this.#program, ['client', '-server', server, '-identities', this.#identities, '-marker', MARKER, ...args]);
  }

  get #identities(): string {
    return join(this.#place.folder, 'identities.jsonl');
  }

  /** A proxy each, with an identity, a token and an address of its own. */
  async #writeIdentities(): Promise<void> {
    const { agentDir, cluster } = this.#place;
    const lines: string[] = [];
    for (let index = 0; index < this.size.clients; index += 1) {
      const who = { cluster, namespace: MANY, serviceAccount: `account-${index}` };
      const token = await mintProxyToken({ agentDir, ...who });
      const address = `10.97.${Math.floor(index / 200)}.${1 + (index % 200)}`;
      lines.push(JSON.stringify({ token, metadata: { ...who, role: 'sidecar', name: `client-${index}`, address } }));
    }
    writeFileSync(this.#identities, `${lines.join('\n')}\n`, { mode: 0o600 });
  }

  /** The peer's bytes of an assignment with another address: addresses have one length, so all other bytes stay. */
  #assignment(service: number, address: string): Buffer {
    const bytes = Buffer.from(this.#assignments.get(assignmentName(service)) ?? []);
    const at = bytes.indexOf(firstAddress(service));
    if (at < 0) throw new Error(`${assignmentName(service)} does not hold ${firstAddress(service)}`);
    bytes.write(address, at);
    return bytes;
  }
}

/** A rig in a federation of real processes. */
export interface FederatedRig {
  readonly rig: XdsRig;
  readonly federation: Federation;
}

/** Runs the work with both servers up, and takes everything down whatever happens. */
export async function withRig<T>(size: RigSize, work: (parts: FederatedRig) => Promise<T>): Promise<T> {
  const program = await adsProgram();
  const prepare = ({ options }: Federation['fleet']): void =>
    writeServices(clusterFiles(options.stateDir, CLUSTER).registryDir, size.services);
  return inFederation({ plan: { [CLUSTER]: [] }, prepare }, async (federation) => {
    const rig = new XdsRig(placeIn(federation), size, program);
    try {
      const counts = await rig.start();
      federation.say.done(`${counts.reduce((sum, count) => sum + count, 0)} resources are served by the agent and by go-control-plane`);
      return await work({ rig, federation });
    } finally {
      await rig.stop();
    }
  });
}

function placeIn({ fleet, options }: Federation): RigPlace {
  const { address } = fleet.cluster(CLUSTER);
  const [a, b] = address.split('.');
  const [agent] = fleet.named(`${CLUSTER}-agent`);
  return {
    cluster: CLUSTER,
    agentDir: join(options.stateDir, 'agents', CLUSTER),
    registryDir: clusterFiles(options.stateDir, CLUSTER).registryDir,
    xds: `${address}:${PORTS.agentXds}`,
    pid: agent?.record.pid ?? 0,
    folder: options.stateDir,
    peerListen: `${a}.${b}.9.1:0`,
  };
}

/** Resident memory of a process, MiB (proc(5), `VmRSS` is in KiB). */
export function rssMiB(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? Number.NaN) / 1_024;
}

/** Both sides, the one first in even rounds that is second in odd ones. */
export function inTurn(round: number): readonly Side[] {
  return round % 2 === 0 ? SIDES : SIDES.toReversed();
}

/** The assignments of a file of length-delimited `Any`, by name. */
export function assignmentsIn(content: Buffer): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  const reader = new BinaryReader(content);
  while (reader.pos < reader.len) {
    const any = fromBinary(AnySchema, reader.bytes());
    if (any.typeUrl !== typeUrlOf('EDS')) continue;
    const fields = new BinaryReader(any.value);
    fields.tag(); // cluster_name is the first field of every assignment
    found.set(fields.string(), Buffer.from(any.value));
  }
  return found;
}
