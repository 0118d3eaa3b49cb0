/** The assembly of the hub's core: database, API, access, enrolment. The bus side joins through these types. */
import type { Resource } from '@hawser/model/resource.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import type { Registry } from '@hawser/runtime/metrics.ts';
import type { FastifyInstance } from 'fastify';
import type { HubConfig } from './config.ts';
import type { ListenOutbox, ResourceReadModel } from './resource/resource-read-model.ts';

/** A condition as the Kubernetes API conventions have it. */
export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration?: number;
}

/** What the core asks of the bus side. All of it is answered from memory and never waits. */
export interface FleetView {
  /** `NAMESPACE/SERVICE` of every service that any cluster has; undefined while that is not known (unknown is not empty). */
  knownServices(): ReadonlySet<string> | undefined;
  /** Resources of read-only kinds (`ServiceImport`), derived from what clusters publish. */
  derived(kind: string): readonly Resource[];
  /** Conditions the bus side knows of a stored resource, such as `Programmed` or `Ready`; added to its status on reads. */
  conditionsOf(resource: Resource): readonly Condition[];
}

/** Makes the NATS credentials of a cluster's agent. */
export type IssueNatsCredentials = (request: {
  readonly cluster: string;
  readonly natsUser: string;
}) => Promise<NatsCredentials> | NatsCredentials;

/** What an agent needs to connect to the bus. `expiresAt` is RFC 3339. */
export interface NatsCredentials {
  readonly jwt: string;
  readonly expiresAt: string;
  readonly urls: readonly string[];
}

/** What `createHubCore` is made of. */
export interface HubCoreParts {
  readonly config: HubConfig;
  /** The DSN: `config.databaseUrl`, or that of the embedded server. */
  readonly dsn: string;
  readonly fleet: FleetView;
  readonly issueNatsCredentials: IssueNatsCredentials;
  /** The hub's document-signing public key: the pin in join tokens. */
  readonly signingKeyPublic: string;
  readonly log: Logger;
  readonly registry: Registry;
  /** Further reasons for `/readyz` to say no; each answers undefined when it is well. */
  readonly readiness?: readonly (() => string | undefined)[];
}

/** The running core. Add routes to `app` before `listen()`. */
export interface HubCore {
  /** Routes below `/apis` and `/hawser` need a bearer token; others are open unless they set `config: { secured: true }`. */
  readonly app: FastifyInstance;
  readonly readModel: ResourceReadModel;
  readonly listenOutbox: ListenOutbox;
  /** Whether the last statement reached PostgreSQL. */
  databaseUp(): boolean;
  /** Binds `config.address:config.port`; throws `port-taken`. Returns the URL. */
  listen(): Promise<string>;
  stop(): Promise<void>;
}
