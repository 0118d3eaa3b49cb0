/** A probe by gRPC's health checking protocol (grpc.health.v1), as Kubernetes makes it. */
import { connect } from 'node:http2';
import { FrameReader, framed } from './grpc-frames.ts';

/** Whom to ask. */
export interface GrpcTarget {
  readonly host: string;
  readonly port: number;
  /** Of `HealthCheckRequest`; the server as a whole unless given. */
  readonly service: string;
}

/** Answers of a health check have two bytes. */
const MOST_BYTES = 1024;
const SERVING = 1;

/** Resolves when the server says SERVING; rejects with the reason otherwise, at the latest when the signal aborts. */
export function grpcProbe({ host, port, service }: GrpcTarget, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const session = connect(`http://${host.includes(':') ? `[${host}]` : host}:${port}`);
    const settle = (error?: Error): void => {
      if (error === undefined) resolve();
      else reject(error);
      session.destroy();
    };
    session.on('error', settle);
    signal.addEventListener('abort', () => settle(new Error('no answer in time')), { once: true });
    const call = session.request({
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Check',
      ...{ 'content-type': 'application/grpc', te: 'trailers', 'user-agent': 'hawser-probe' },
    });
    call.on('error', settle);
    const frames = new FrameReader(MOST_BYTES);
    const answers: Buffer[] = [];
    let failure: string | undefined;
    const status = (headers: Readonly<Record<string, unknown>>): void => {
      const code = headers['grpc-status'];
      if (code !== undefined && code !== '0') failure = `grpc-status ${String(code)} ${String(headers['grpc-message'] ?? '')}`.trim();
    };
    call.on('response', status);
    call.on('trailers', status);
    call.on('data', (chunk: Buffer) => {
      try {
        answers.push(...frames.read(chunk));
      } catch (error) {
        settle(error as Error);
      }
    });
    call.on('end', () => {
      const said = answers[0] === undefined ? undefined : statusIn(answers[0]);
      if (failure === undefined && said !== SERVING) failure = said === undefined ? 'no answer' : `the server says ${NAMES[said] ?? said}`;
      settle(failure === undefined ? undefined : new Error(failure));
    });
    call.end(framed(requestFor(service)));
  });
}

const NAMES: Readonly<Record<number, string>> = { 0: 'UNKNOWN', 2: 'NOT_SERVING', 3: 'SERVICE_UNKNOWN' };

/** `HealthCheckRequest`: `string service = 1`. Names of services are short: their length is one or two bytes. */
function requestFor(service: string): Buffer {
  const name = Buffer.from(service).subarray(0, 16_383);
  if (name.length === 0) return name;
  const length = name.length < 128 ? [name.length] : [(name.length & 0x7f) | 0x80, name.length >> 7];
  return Buffer.concat([Buffer.from([0x0a, ...length]), name]);
}

/** `HealthCheckResponse`: `ServingStatus status = 1`, of which 0 is not written. */
function statusIn(message: Buffer): number {
  return message[0] === 0x08 ? (message[1] ?? 0) : 0;
}
