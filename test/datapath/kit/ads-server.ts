/** A small SotW ADS server over snapshot stores: proves the resources, not the protocol (that is the agent's own suite). */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { AnySchema } from '@bufbuild/protobuf/wkt';
import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import type { XdsType } from '@hawser/wire/messages.ts';
import {
  type DiscoveryRequest,
  DiscoveryRequestSchema,
  type DiscoveryResponse,
  DiscoveryResponseSchema,
} from '@hawser/xds/generated/envoy/service/discovery/v3/discovery_pb.ts';
import type { LayerName, XdsResource } from '../../../services/agent/src/snapshot/resource.ts';
import type { SnapshotStore } from '../../../services/agent/src/snapshot/snapshot-store.ts';

const TYPE_URLS: Readonly<Record<XdsType, string>> = {
  CDS: 'type.googleapis.com/envoy.config.cluster.v3.Cluster',
  EDS: 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment',
  LDS: 'type.googleapis.com/envoy.config.listener.v3.Listener',
  RDS: 'type.googleapis.com/envoy.config.route.v3.RouteConfiguration',
  SDS: 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret',
};
const ORDER: readonly XdsType[] = ['CDS', 'EDS', 'LDS', 'RDS', 'SDS'];

/** What one proxy is given. */
export interface Served {
  readonly store: SnapshotStore;
  readonly layers: readonly LayerName[];
  /** Secrets of its own, such as its identity. */
  readonly own: () => readonly XdsResource[];
}

export interface AdsServer {
  readonly port: number;
  /** Messages of every NACK so far. */
  readonly nacks: string[];
  /** Sends whatever differs to the proxy with this node id. */
  push(node: string): void;
  stop(): void;
}

type Stream = ServerDuplexStream<DiscoveryRequest, DiscoveryResponse>;

export async function startAdsServer(address: string, served: (node: string) => Served | undefined): Promise<AdsServer> {
  const nacks: string[] = [];
  const sessions = new Map<string, Session>();
  const server = new Server();
  server.addService(
    {
      stream: {
        path: '/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources',
        requestStream: true,
        responseStream: true,
        requestSerialize: (message: DiscoveryRequest) => Buffer.from(toBinary(DiscoveryRequestSchema, message)),
        requestDeserialize: (bytes: Buffer) => fromBinary(DiscoveryRequestSchema, bytes),
        responseSerialize: (message: DiscoveryResponse) => Buffer.from(toBinary(DiscoveryResponseSchema, message)),
        responseDeserialize: (bytes: Buffer) => fromBinary(DiscoveryResponseSchema, bytes),
      },
    },
    {
      stream: (stream: Stream) => {
        let session: Session | undefined;
        stream.on('error', () => undefined);
        stream.on('data', (request: DiscoveryRequest) => {
          if (session === undefined) {
            const node = request.node?.id ?? '';
            const target = served(node);
            if (target === undefined) return void stream.end();
            session = new Session(stream, target);
            sessions.set(node, session);
          }
          if (request.errorDetail !== undefined) nacks.push(`${request.node?.id ?? ''} ${request.typeUrl}: ${request.errorDetail.message}`);
          session.receive(request);
        });
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync(`${address}:0`, ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  return { port, nacks, push: (node) => sessions.get(node)?.push(), stop: () => server.forceShutdown() };
}

class Session {
  readonly #stream: Stream;
  readonly #served: Served;
  readonly #wanted = new Map<string, readonly string[]>();
  readonly #sent = new Map<string, Map<string, string>>();
  #nonce = 0;

  constructor(stream: Stream, served: Served) {
    this.#stream = stream;
    this.#served = served;
  }

  receive(request: DiscoveryRequest): void {
    const before = this.#wanted.get(request.typeUrl);
    this.#wanted.set(request.typeUrl, request.resourceNames);
    const type = ORDER.find((candidate) => TYPE_URLS[candidate] === request.typeUrl);
    if (type === undefined || (before !== undefined && request.resourceNames.every((name) => before.includes(name)))) return;
    this.#send(
      type,
      request.resourceNames.filter((name) => before?.includes(name) !== true),
    );
  }

  push(): void {
    for (const type of ORDER) if (this.#wanted.has(TYPE_URLS[type])) this.#send(type, []);
  }

  #send(type: XdsType, fresh: readonly string[]): void {
    const isFullSet = type === 'CDS' || type === 'LDS';
    const wanted = this.#wanted.get(TYPE_URLS[type]) ?? [];
    const all = this.#resources(type).filter((resource) => isFullSet || wanted.includes(resource.name));
    const sent = this.#sent.get(type) ?? new Map<string, string>();
    const differing = all.filter((resource) => sent.get(resource.name) !== resource.version || fresh.includes(resource.name));
    const isShorter = isFullSet && sent.size > all.length;
    if (differing.length === 0 && !isShorter && this.#sent.has(type)) return;
    if (differing.length === 0 && !isFullSet) return;
    this.#sent.set(type, new Map(all.map((resource) => [resource.name, resource.version])));
    this.#nonce += 1;
    this.#stream.write(
      create(DiscoveryResponseSchema, {
        typeUrl: TYPE_URLS[type],
        nonce: String(this.#nonce),
        versionInfo: String(this.#nonce),
        resources: (isFullSet ? all : differing).map(({ bytes }) => create(AnySchema, { typeUrl: TYPE_URLS[type], value: bytes })),
      }),
    );
  }

  #resources(type: XdsType): XdsResource[] {
    const shared = this.#served.layers.flatMap((layer) => [...this.#served.store.all(layer, type).values()]);
    return [...shared, ...this.#served.own().filter((resource) => resource.type === type)];
  }
}
