/** A scripted state-of-the-world ADS client: sends what a test says, shows what comes back, and answers nothing by itself. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { Client, credentials, Metadata, type StatusObject } from '@grpc/grpc-js';
import { typeOfUrl, typeUrlOf } from '@hawser/agent/xds/type-urls.ts';
import type { XdsType } from '@hawser/wire/messages.ts';
import { DiscoveryRequestSchema, DiscoveryResponseSchema } from '@hawser/xds/generated/envoy/service/discovery/v3/discovery_pb.ts';
import type { NodeMetadata } from './ads-client.ts';
import { Inbox } from './inbox.ts';

/** A response as tests compare it. */
export interface ReceivedSet {
  readonly type: XdsType;
  readonly nonce: string;
  readonly version: string;
  /** Bytes of the resource messages. */
  readonly resources: readonly Uint8Array[];
}

/** A request without its type; what is left out is empty. */
export interface ScriptedSotwRequest {
  readonly names?: readonly string[];
  readonly version?: string;
  readonly nonce?: string;
  readonly error?: string;
}

/** One stream. */
export interface SotwAdsClient {
  send(type: XdsType, request?: ScriptedSotwRequest): void;
  /** The next response that was not taken yet; fails when the stream ends or 10 s pass first. */
  next(): Promise<ReceivedSet>;
  close(): Promise<void>;
}

const PATH = '/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources';
const raw = (bytes: Buffer): Buffer => bytes;

/** Connects to an ADS server; `node` goes with the first request. */
export function connectSotwAds(options: { port: number; token: string; node: NodeMetadata }): SotwAdsClient {
  const client = new Client(`127.0.0.1:${options.port}`, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${options.token}`);
  const call = client.makeBidiStreamRequest(PATH, raw, raw, metadata);
  const inbox = new Inbox<ReceivedSet>();
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  call.on('data', (bytes: Buffer) => inbox.put(received(bytes)));
  call.on('error', () => undefined);
  call.on('status', (status: StatusObject) => {
    inbox.end(`the stream ended: ${status.code} ${status.details}`);
    resolve();
  });
  let first = true;
  return {
    send: (type, { names = [], version = '', nonce = '', error } = {}) => {
      const message = create(DiscoveryRequestSchema, {
        ...{ typeUrl: typeUrlOf(type), resourceNames: [...names], versionInfo: version, responseNonce: nonce },
        ...(first ? { node: { id: options.node['name'] ?? '', metadata: { ...options.node } } } : {}),
        ...(error === undefined ? {} : { errorDetail: { code: 13, message: error } }),
      });
      first = false;
      call.write(Buffer.from(toBinary(DiscoveryRequestSchema, message)));
    },
    next: () => inbox.take(),
    close: async () => {
      call.cancel();
      await ended;
      client.close();
    },
  };
}

function received(bytes: Buffer): ReceivedSet {
  const { typeUrl, nonce, versionInfo, resources } = fromBinary(DiscoveryResponseSchema, bytes);
  const type = typeOfUrl(typeUrl);
  if (type === undefined) throw new Error(`a response of type ${typeUrl}`);
  return { type, nonce, version: versionInfo, resources: resources.map(({ value }) => value) };
}
