/**
 * Client status discovery (csds.proto) beside ADS. It is authenticated as ADS is, and a token shows the proxies of its own
 * identity only; the operator's view of all proxies is the agent's admin endpoint (docs/decisions/0009-xds-server.md).
 */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServiceDefinition,
  type sendUnaryData,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { messageOf } from '@hawser/runtime/app-error.ts';
import {
  type ClientStatusRequest,
  ClientStatusRequestSchema,
  ClientStatusResponseSchema,
} from '@hawser/xds/generated/envoy/service/status/v3/csds_pb.ts';
import { authenticateCall, StreamRefusal } from './ads-call.ts';
import type { AdsStreams } from './ads-streams.ts';
import { clientConfigOf } from './client-status.ts';
import type { ProxyGate, ProxyIdentity } from './proxy-gate.ts';

/** A status other than OK. */
interface Refused {
  readonly code: status;
  readonly details: string;
}

const PATH = '/envoy.service.status.v3.ClientStatusDiscoveryService';
const raw = (bytes: Buffer): Buffer => bytes;
const BYTES = { requestSerialize: raw, requestDeserialize: raw, responseSerialize: raw, responseDeserialize: raw };

/** The service as grpc-js registers it. */
export const CSDS_SERVICE: ServiceDefinition = {
  streamClientStatus: { path: `${PATH}/StreamClientStatus`, requestStream: true, responseStream: true, ...BYTES },
  fetchClientStatus: { path: `${PATH}/FetchClientStatus`, requestStream: false, responseStream: false, ...BYTES },
};

/** Answers from the connected streams. */
export function csdsHandlers(streams: AdsStreams, gate: ProxyGate): UntypedServiceImplementation {
  return {
    fetchClientStatus: (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) => {
      authenticateCall(call, gate).then(
        (identity) =>
          answer(
            () => callback(null, responseTo(call.request, identity, streams)),
            (refusal) => callback(refusal),
          ),
        (error: unknown) => callback(grpcError(error)),
      );
    },
    streamClientStatus: (call: ServerDuplexStream<Buffer, Buffer>) => {
      call.on('error', () => undefined);
      const refuse = (refusal: Refused): void => {
        call.emit('error', refusal);
      };
      authenticateCall(call, gate).then(
        (identity) => answerAll(call, (bytes) => responseTo(bytes, identity, streams), refuse),
        (error: unknown) => refuse(grpcError(error)),
      );
    },
  };
}

/** Answers each request of a stream; a client that does not read its answers is not read either. */
function answerAll(call: ServerDuplexStream<Buffer, Buffer>, respond: (bytes: Buffer) => Buffer, refuse: (refusal: Refused) => void): void {
  const give = (bytes: Buffer): void => {
    if (call.write(respond(bytes))) return;
    call.pause();
    call.once('drain', () => call.resume());
  };
  call.on('data', (bytes: Buffer) => answer(() => give(bytes), refuse));
  call.on('end', () => call.end());
}

function answer(give: () => void, refuse: (refusal: Refused) => void): void {
  try {
    give();
  } catch (error) {
    refuse(grpcError(error));
  }
}

function responseTo(bytes: Buffer, identity: ProxyIdentity, streams: AdsStreams): Buffer {
  const request = requestIn(bytes);
  const mine = [...streams.newest()].filter(({ proxy }) => proves(identity, proxy));
  const asked = mine.filter(({ proxy }) => matches(request, proxy.name));
  const config = asked.map((stream) => clientConfigOf(stream, { contents: !request.excludeResourceContents }));
  return Buffer.from(toBinary(ClientStatusResponseSchema, create(ClientStatusResponseSchema, { config })));
}

function requestIn(bytes: Buffer): ClientStatusRequest {
  try {
    return fromBinary(ClientStatusRequestSchema, bytes);
  } catch (error) {
    throw new StreamRefusal('malformed', `not a ClientStatusRequest: ${messageOf(error)}`);
  }
}

/** Whether the token would open the proxy's own stream. */
function proves(identity: ProxyIdentity, proxy: { name: string; namespace: string; serviceAccount: string }): boolean {
  const { namespace, serviceAccount, name } = identity;
  return proxy.namespace === namespace && proxy.serviceAccount === serviceAccount && (name === undefined || name === proxy.name);
}

/** Node matchers: any of them, each an exact node id. */
function matches(request: ClientStatusRequest, name: string): boolean {
  if (request.nodeMatchers.length === 0) return true;
  return request.nodeMatchers.some(({ nodeId, nodeMetadatas }) => {
    if (nodeId?.matchPattern.case !== 'exact' || nodeMetadatas.length > 0)
      throw new StreamRefusal('malformed', 'node_matchers: only node_id with exact is supported');
    return nodeId.matchPattern.value === name;
  });
}

function grpcError(error: unknown): Refused {
  if (error instanceof StreamRefusal) return { code: error.code, details: error.message };
  return { code: status.INTERNAL, details: 'the agent failed to answer' };
}
