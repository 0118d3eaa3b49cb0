/** Replicas of a hub as processes, with one PostgreSQL, one NATS cluster and one address. */
import { join } from 'node:path';
import type { FleetAnswer } from '@hawser/wire/hub-api.ts';
import { type FrontDoor, openFrontDoor } from './front-door.ts';
import { type HawserProcesses, type Running, untilReady } from './hawser-processes.ts';
import { freePort } from './ports.ts';
import { eventually } from './served.ts';

/** Where the replicas keep what they share. */
export interface SharedServers {
  readonly databaseUrl: string;
  readonly natsUrls: readonly string[];
}

/** One replica. */
export interface HubReplica {
  readonly name: string;
  readonly url: string;
  process: Running;
  /** Starts it anew after its end; resolves when it is ready. */
  startAgain(): Promise<void>;
}

/** The running replicas. */
export class HubReplicas {
  readonly all: readonly HubReplica[];
  readonly #door: FrontDoor;
  readonly #hawser: HawserProcesses;

  private constructor(parts: { all: readonly HubReplica[]; door: FrontDoor; hawser: HawserProcesses }) {
    this.all = parts.all;
    this.#door = parts.door;
    this.#hawser = parts.hawser;
  }

  /** Starts `count`; resolves when all are ready. The first one's state is the folder's own, where commands look for the token. */
  static async start(hawser: HawserProcesses, count: number, { databaseUrl, natsUrls }: SharedServers): Promise<HubReplicas> {
    const ports: number[] = [];
    for (let replica = 0; replica < count; replica += 1) ports.push(await freePort());
    const door = await openFrontDoor(ports);
    hawser.useHub(door.url);
    const shared = ['--keys-dir', hawser.keysDir, '--database-url', databaseUrl, '--nats-url', natsUrls.join(), '--public-url', door.url];
    const all = await Promise.all(
      ports.map(async (port, replica) => {
        const stateDir = join(hawser.folder, replica === 0 ? '.hawser' : `hub-${replica}`);
        const url = `http://127.0.0.1:${port}`;
        const run = async (): Promise<Running> => {
          const hub = hawser.start(['hub', 'run', '--state-dir', stateDir, '--port', `${port}`, ...shared]);
          await hub.says('hub is ready');
          await untilReady(`${url}/readyz`);
          return hub;
        };
        const one = {
          ...{ name: `hub-${replica}`, url, process: await run() },
          startAgain: async () => {
            one.process = await run();
          },
        };
        return one;
      }),
    );
    return new HubReplicas({ all, door, hawser });
  }

  /** The one address. */
  get url(): string {
    return this.#door.url;
  }

  /** What a replica says of itself; undefined when it does not answer. */
  async status(hub: HubReplica): Promise<FleetAnswer | undefined> {
    const headers = { authorization: `Bearer ${this.#hawser.adminToken}` };
    const answer = await fetch(`${hub.url}/hawser/v1/status`, { headers, signal: AbortSignal.timeout(5_000) }).catch(() => undefined);
    return answer?.ok === true ? ((await answer.json().catch(() => undefined)) as FleetAnswer | undefined) : undefined;
  }

  /** The replica among these that leads, once exactly one says so. */
  async leader(among: readonly HubReplica[] = this.all): Promise<HubReplica> {
    let leading: readonly HubReplica[] = [];
    await eventually(
      async () => {
        const answers = await Promise.all(among.map(async (hub) => ({ hub, status: await this.status(hub) })));
        leading = answers.filter(({ status }) => status?.hub.leads === true).map(({ hub }) => hub);
        return leading.length === 1;
      },
      `not one of ${among.map(({ name }) => name).join()} leads`,
    );
    return leading[0] as HubReplica;
  }

  /** Closes the address; the processes end with the others. */
  stop(): Promise<void> {
    return this.#door.stop();
  }
}
