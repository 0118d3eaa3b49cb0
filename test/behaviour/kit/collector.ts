/** A collector of spans: Zipkin's JSON and OTLP over HTTP/1.1, OTLP over gRPC, each on a port of its own. */
import { createServer, type IncomingMessage } from 'node:http';
import { createServer as createHttp2Server, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo, Server } from 'node:net';
import { BinaryReader } from '@bufbuild/protobuf/wire';

/** A span, as far as tests look at it. */
export interface Span {
  readonly traceId: string;
  readonly id: string;
  readonly parentId: string;
  readonly service: string;
  readonly tags: Readonly<Record<string, string>>;
}

/** A running collector. */
export interface Collector {
  readonly http: number;
  readonly grpc: number;
  /** Everything that came, the oldest first; a test empties it. */
  readonly spans: Span[];
  /** Headers of the newest request by HTTP/1.1. */
  headers: IncomingMessage['headers'];
  stop(): Promise<void>;
}

/** Starts one on an address. */
export async function startCollector(address: string): Promise<Collector> {
  const spans: Span[] = [];
  const http = createServer((request, response) => {
    void bodyOf(request).then((body) => {
      collector.headers = request.headers;
      spans.push(...(request.url?.includes('/api/v2') === true ? zipkinSpans(body) : otlpSpans(body)));
      response.writeHead(202).end();
    });
  });
  const grpc = createHttp2Server();
  grpc.on('stream', (stream: ServerHttp2Stream) => {
    stream.on('error', () => stream.destroy());
    void bodyOf(stream).then((body) => {
      spans.push(...otlpSpans(body.subarray(5, 5 + body.readUInt32BE(1))));
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end(Buffer.from([0, 0, 0, 0, 0]));
    });
  });
  const sessions = new Set<{ destroy(): void }>();
  grpc.on('session', (session) => sessions.add(session));
  const [httpPort, grpcPort] = [await listen(http, address), await listen(grpc, address)];
  const collector: Collector = {
    ...{ http: httpPort, grpc: grpcPort, spans, headers: {} },
    stop: async () => {
      for (const session of sessions) session.destroy();
      http.closeAllConnections();
      await Promise.all([http, grpc].map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
  return collector;
}

async function bodyOf(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

function listen(server: Server, address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, address, () => resolve((server.address() as AddressInfo).port));
  });
}

interface ZipkinSpan {
  readonly traceId: string;
  readonly id: string;
  readonly parentId?: string;
  readonly localEndpoint?: { readonly serviceName?: string };
  readonly tags?: Readonly<Record<string, string>>;
}

function zipkinSpans(body: Buffer): Span[] {
  return (JSON.parse(body.toString()) as ZipkinSpan[]).map(({ traceId, id, parentId = '', localEndpoint, tags = {} }) => ({
    ...{ traceId, id, parentId, tags },
    service: localEndpoint?.serviceName ?? '',
  }));
}

/** opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest. */
function otlpSpans(body: Uint8Array): Span[] {
  return fieldsOf(body, 1).flatMap((resourceSpans) => {
    const [resource] = fieldsOf(resourceSpans, 1);
    const service = attributes(resource === undefined ? [] : fieldsOf(resource, 1))['service.name'] ?? '';
    const spans = fieldsOf(resourceSpans, 2).flatMap((scope) => fieldsOf(scope, 2));
    return spans.map((span) => {
      const hex = (field: number): string => Buffer.from(fieldsOf(span, field)[0] ?? []).toString('hex');
      return { traceId: hex(1), id: hex(2), parentId: hex(4), service, tags: attributes(fieldsOf(span, 9)) };
    });
  });
}

function attributes(pairs: readonly Uint8Array[]): Record<string, string> {
  const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString();
  return Object.fromEntries(
    pairs.map((pair) => [text(fieldsOf(pair, 1)[0]), text(fieldsOf(fieldsOf(pair, 2)[0] ?? new Uint8Array(), 1)[0])]),
  );
}

/** Values of a length-delimited field. */
function fieldsOf(message: Uint8Array, wanted: number): Uint8Array[] {
  const reader = new BinaryReader(message);
  const found: Uint8Array[] = [];
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === wanted && type === 2) found.push(reader.bytes());
    else reader.skip(type, field);
  }
  return found;
}
