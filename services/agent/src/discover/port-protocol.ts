/** Which protocol a port speaks, by Istio's explicit protocol selection: `appProtocol` first, then the prefix of the port's name. */
import type { ServicePort } from '@hawser/model/endpoint-shard.ts';

/** What a Service says of a port. */
export interface PortWords {
  readonly name?: string | undefined;
  readonly appProtocol?: string | undefined;
}

type Spoken = Pick<ServicePort, 'protocol' | 'application'>;

const HTTP: Spoken = { protocol: 'http' };
const HTTP2: Spoken = { protocol: 'http2' };
const TCP: Spoken = { protocol: 'tcp' };
const TLS: Spoken = { protocol: 'tcp', application: 'tls' };

/** Istio's names, and Kubernetes' (KEP-3726). What a sidecar cannot read is carried as TCP: TLS, databases, message brokers. */
const SPOKEN: Readonly<Record<string, Spoken>> = {
  http: HTTP,
  'kubernetes.io/ws': HTTP,
  http2: HTTP2,
  grpc: HTTP2,
  'kubernetes.io/h2c': HTTP2,
  'grpc-web': { protocol: 'http2', application: 'grpc-web' },
  https: TLS,
  tls: TLS,
  'kubernetes.io/wss': TLS,
  tcp: TCP,
  mongo: TCP,
  mysql: TCP,
  redis: TCP,
};

/** Nobody said: taken for HTTP by those who call it as such, and for TCP by those who do not. */
const UNSAID: Spoken = { protocol: 'http', application: 'auto' };

/** What a port speaks. An `appProtocol` that is not known leaves it to the port's name, as if it were not there. */
export function spokenOn({ name, appProtocol }: PortWords): Spoken {
  return byWord(appProtocol?.toLowerCase()) ?? byName(name?.toLowerCase() ?? '') ?? UNSAID;
}

/** `NAME` or `NAME-anything`; `grpc-web` is a name of its own. */
function byName(name: string): Spoken | undefined {
  if (name === 'grpc-web' || name.startsWith('grpc-web-')) return byWord('grpc-web');
  return byWord(name.split('-')[0]);
}

function byWord(word: string | undefined): Spoken | undefined {
  return word !== undefined && Object.hasOwn(SPOKEN, word) ? SPOKEN[word] : undefined;
}
