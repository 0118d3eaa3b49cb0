/** A scripted delta ADS client: sends what a test says, shows what comes back, and answers nothing by itself. */
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { Client, credentials, Metadata, type StatusObject } from '@grpc/grpc-js';
import { typeOfUrl, typeUrlOf } from '@hawser/agent/xds/type-urls.ts';
import type { XdsType } from '@hawser/wire/messages.ts';
import {
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
} from '@hawser/xds/generated/envoy/service/discovery/v3/discovery_pb.ts';
import { Inbox } from './inbox.ts';

/** A response as tests compare it. */
export interface ReceivedDelta {
  readonly type: XdsType;
  readonly nonce: string;
  /** Name → version. */
  readonly versions: Readonly<Record<string, string>>;
  /** Name → bytes of the resource message. */
  readonly resources: ReadonlyMap<string, Uint8Array>;
  readonly removed: readonly string[];
}

/** A request without its type. */
export interface ScriptedRequest {
  readonly subscribe?: readonly string[];
  readonly unsubscribe?: readonly string[];
  readonly versions?: Readonly<Record<string, string>>;
  readonly nonce?: string;
  readonly error?: string;
}

/** One stream. */
export interface AdsClient {
  send(type: XdsType, request?: ScriptedRequest): void;
  /** Sends anything, well-formed or not. */
  sendBytes(bytes: Uint8Array): void;
  ack(response: ReceivedDelta): void;
  nack(response: ReceivedDelta, message: string): void;
  /** The next response that was not taken yet; fails when the stream ends or 10 s pass first. */
  next(): Promise<ReceivedDelta>;
  /** The status with which the stream ended. */
  readonly ended: Promise<StatusObject>;
  /** Ends the own half. */
  halfClose(): void;
  close(): Promise<void>;
}

/** What the first request says of the proxy. */
export type NodeMetadata = Readonly<Record<string, string>>;

const PATH = '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources';
const raw = (bytes: Buffer): Buffer => bytes;

/** Connects to an ADS server; `token` is sent if given, `node` goes with the first request. */
export function connectAds(options: { port: number; token?: string; node: NodeMetadata }): AdsClient {
  const client = new Client(`127.0.0.1:${options.port}`, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
  const metadata = new Metadata();
  if (options.token !== undefined) metadata.set('authorization', `Bearer ${options.token}`);
  const call = client.makeBidiStreamRequest(PATH, raw, raw, metadata);
  const inbox = new Inbox<ReceivedDelta>();
  const { promise: ended, resolve } = Promise.withResolvers<StatusObject>();
  call.on('data', (bytes: Buffer) => inbox.put(received(bytes)));
  call.on('error', () => undefined);
  call.on('status', (status: StatusObject) => {
    inbox.end(`the stream ended: ${status.code} ${status.details}`);
    resolve(status);
  });
  let node: MessageInitShape<typeof DeltaDiscoveryRequestSchema>['node'] = {
    id: options.node['name'] ?? '',
    metadata: { ...options.node },
  };
  const send = (type: XdsType, request: ScriptedRequest = {}): void => {
    call.write(requestBytes(type, request, node));
    node = undefined;
  };
  return {
    send,
    sendBytes: (bytes) => call.write(Buffer.from(bytes)),
    ack: ({ type, nonce }) => send(type, { nonce }),
    nack: ({ type, nonce }, error) => send(type, { nonce, error }),
    next: () => inbox.take(),
    ended,
    halfClose: () => call.end(),
    close: async () => {
      call.cancel();
      await ended;
      client.close();
    },
  };
}

function requestBytes(type: XdsType, request: ScriptedRequest, node: MessageInitShape<typeof DeltaDiscoveryRequestSchema>['node']): Buffer {
  const message = create(DeltaDiscoveryRequestSchema, {
    typeUrl: typeUrlOf(type),
    resourceNamesSubscribe: [...(request.subscribe ?? [])],
    resourceNamesUnsubscribe: [...(request.unsubscribe ?? [])],
    initialResourceVersions: { ...request.versions },
    responseNonce: request.nonce ?? '',
    ...(node === undefined ? {} : { node }),
    ...(request.error === undefined ? {} : { errorDetail: { code: 13, message: request.error } }),
  });
  return Buffer.from(toBinary(DeltaDiscoveryRequestSchema, message));
}

function received(bytes: Buffer): ReceivedDelta {
  const message = fromBinary(DeltaDiscoveryResponseSchema, bytes);
  const type = typeOfUrl(message.typeUrl);
  if (type === undefined) throw new Error(`a response of type ${message.typeUrl}`);
  for (const { resource } of message.resources) {
    if (resource?.typeUrl !== message.typeUrl)
      throw new Error(`a resource of type ${resource?.typeUrl} in a response of ${message.typeUrl}`);
  }
  return {
    type,
    nonce: message.nonce,
    versions: Object.fromEntries(message.resources.map(({ name, version }) => [name, version])),
    resources: new Map(message.resources.map(({ name, resource }) => [name, resource?.value ?? new Uint8Array()])),
    removed: message.removedResources,
  };
}
