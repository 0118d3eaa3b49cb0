/** An agent without a registry and without proxies: it joins, publishes shards, obeys the hub and accounts for it, by the real protocol. */
import { type Bus, connectBus } from '@hawser/bus/bus.ts';
import { DocumentPublisher } from '@hawser/bus/document-publisher.ts';
import { type DocumentWatcher, watchDocuments } from '@hawser/bus/document-watcher.ts';
import { createUserKey } from '@hawser/bus/nats-accounts.ts';
import type { EndpointShard } from '@hawser/model/endpoint-shard.ts';
import { HUB } from '@hawser/model/fleet.ts';
import { createLogger } from '@hawser/runtime/logger.ts';
import { decodeJoinToken, enrollProof, type JoinTokenPayload, type Membership } from '@hawser/wire/enrolment.ts';
import { PROTOCOL, seal } from '@hawser/wire/envelope.ts';
import type { AgentStatus, RolloutStatus } from '@hawser/wire/messages.ts';
import { generateSigner, type Signer, sign, verifierOf } from '@hawser/wire/signing.ts';
import {
  CONFIG_PREFIX,
  CONFIG_STREAM,
  configSubjects,
  FACTS_KEY,
  FLEET_PREFIX,
  FLEET_STREAM,
  inboxPrefix,
  rolloutSubject,
  shardKey,
  statusSubject,
} from '@hawser/wire/subjects.ts';
import { ask } from './kept-alive.ts';

/** The hub's API. */
export interface HubApi {
  readonly url: string;
  readonly token: string;
}

const STATUS_MS = 5_000;
const log = Object.assign(createLogger('agents'), { level: 'error' });

/** One cluster's agent. */
export class SimulatedAgent {
  readonly cluster: string;
  readonly #membership: Membership;
  readonly #signer: Signer;
  readonly #bus: Bus;
  readonly #publisher: DocumentPublisher;
  readonly #watcher: DocumentWatcher;
  readonly #timer: NodeJS.Timeout;
  readonly #waiting = new Set<() => void>();
  /** Documents held, by key: the revision of each. */
  readonly held = new Map<string, number>();
  /** Epoch and revision up to which everything of the hub is here. */
  consistent = { epoch: 0, revision: 0 };
  #revision = Date.now();

  private constructor(cluster: string, membership: Membership, parts: { readonly signer: Signer; readonly bus: Bus }) {
    this.cluster = cluster;
    this.#membership = membership;
    this.#signer = parts.signer;
    this.#bus = parts.bus;
    const { bus, signer } = parts;
    this.#publisher = new DocumentPublisher({
      ...{ bus, stream: FLEET_STREAM, prefix: `${FLEET_PREFIX}.${cluster}`, from: cluster, to: '*', signer, log },
      epoch: membership.epoch,
      revisions: (above) => above + 1,
    }).start();
    this.#watcher = this.#watch();
    this.#timer = setInterval(() => this.#tellStatus(), STATUS_MS * (0.75 + Math.random() / 2));
  }

  /** Joins the cluster, with a token of its own. */
  static async join(hub: HubApi, cluster: string, region: string): Promise<SimulatedAgent> {
    const resource = { apiVersion: 'hawser.dev/v1alpha1', kind: 'JoinToken', metadata: { name: cluster }, spec: { cluster, region } };
    const url = `${hub.url}/apis/hawser.dev/v1alpha1/jointokens`;
    const made = JSON.parse(await ask({ method: 'POST', url, token: hub.token, body: resource, timeoutMs: 60_000 })) as {
      status: { token: string };
    };
    const { secret } = decodeJoinToken(made.status.token) as JoinTokenPayload;
    const signer = generateSigner();
    const user = createUserKey();
    const request = { cluster, secret, signingKey: signer.publicKey, natsUser: user.publicKey };
    const proof = Buffer.from(sign(enrollProof(request), signer)).toString('base64url');
    const answer = await ask({ method: 'POST', url: `${hub.url}/join/v1/enroll`, body: { ...request, proof }, timeoutMs: 60_000 });
    const membership = JSON.parse(answer) as Membership;
    const credentials = { jwt: membership.natsJwt, seed: user.seed };
    const bus = await connectBus({ urls: membership.natsUrls, name: cluster, credentials, inboxPrefix: inboxPrefix(cluster), log });
    await bus.ready();
    return new SimulatedAgent(cluster, membership, { signer, bus });
  }

  /** Publishes everything the cluster has; resolves when the stream has it. */
  async export(shards: Iterable<EndpointShard>): Promise<void> {
    await this.#publisher.loaded;
    this.#publisher.put(FACTS_KEY, { trustBundle: [], gateways: [] });
    for (const shard of shards) this.#publisher.put(shardKey(shard.namespace, shard.service), shard);
    this.#publisher.complete();
    await this.#publisher.drained();
    this.#tellStatus();
  }

  /** Resolves with the time (`performance.now()`) at which the condition held, looked at after every message of the hub. */
  when(condition: (agent: SimulatedAgent) => boolean): Promise<number> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!condition(this)) return;
        this.#waiting.delete(look);
        resolve(performance.now());
      };
      this.#waiting.add(look);
      look();
    });
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#watcher.stop();
    await this.#publisher.stop();
    await this.#bus.close();
  }

  #watch(): DocumentWatcher {
    const hubKey = verifierOf(this.#membership.hubKey);
    return watchDocuments({
      ...{ bus: this.#bus, stream: CONFIG_STREAM, prefix: CONFIG_PREFIX, filter: configSubjects(this.cluster), owner: 'to', log },
      verifierOf: (from) => (from === HUB ? hubKey : undefined),
      accept: (document) => document.to === this.cluster,
      onDocument: ({ key, revision, body }) => {
        if (body === null) this.held.delete(key);
        else this.held.set(key, revision);
        this.#look();
      },
      onDigest: (_owner, { epoch, revision, consistent }) => {
        if (!consistent || (epoch === this.consistent.epoch && revision <= this.consistent.revision)) return;
        this.consistent = { epoch, revision };
        this.#tell('rollout', { epoch, revision, expected: 0, acked: 0, nacks: [] } satisfies RolloutStatus);
        this.#look();
      },
    });
  }

  #look(): void {
    for (const look of [...this.#waiting]) look();
  }

  #tellStatus(): void {
    const { epoch, revision } = this.consistent;
    const startedAt = new Date().toISOString();
    const rest = { ready: true, warnings: [], proxies: [], peers: [] };
    this.#tell('status', { instance: this.cluster, startedAt, version: '0.1.0', epoch, revision, ...rest } satisfies AgentStatus);
  }

  #tell(key: 'status' | 'rollout', body: AgentStatus | RolloutStatus): void {
    this.#revision += 1;
    const { cluster } = this;
    const message = { protocol: PROTOCOL, from: cluster, to: HUB, key, epoch: this.#membership.epoch, revision: this.#revision };
    const subject = key === 'status' ? statusSubject(cluster) : rolloutSubject(cluster);
    this.#bus.publish(subject, seal({ ...message, part: 0, parts: 1, body }, this.#signer));
  }
}
