/** Stands between an ADS server and its clients: adds a proxy's token for those that have no place to put one, and loses what a test says. */
import { Client, credentials, Metadata, Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';

const SERVICE = '/envoy.service.discovery.v3.AggregatedDiscoveryService';
const METHODS = ['StreamAggregatedResources', 'DeltaAggregatedResources'] as const;
const raw = (bytes: Buffer): Buffer => bytes;
const BYTES = { requestSerialize: raw, requestDeserialize: raw, responseSerialize: raw, responseDeserialize: raw };

/** A running relay. */
export interface AdsRelay {
  readonly port: number;
  /** Whether a response does not arrive; none is lost at first. */
  loses: (response: Buffer) => boolean;
  /** Ends all streams, as a lost connection does. */
  cut(): void;
  stop(): void;
}

/** Relays to the ADS server at `target()`, which is asked for each stream. */
export async function startAdsRelay(target: () => number, token: string): Promise<AdsRelay> {
  const server = new Server();
  const cuts = new Set<() => void>();
  const relayTo =
    (path: string) =>
    (call: ServerDuplexStream<Buffer, Buffer>): void => {
      const client = new Client(`127.0.0.1:${target()}`, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
      const metadata = new Metadata();
      metadata.set('authorization', `Bearer ${token}`);
      const upstream = client.makeBidiStreamRequest(path, raw, raw, metadata);
      const end = (): void => {
        cuts.delete(end);
        upstream.cancel();
        client.close();
        call.end();
      };
      cuts.add(end);
      upstream.on('data', (bytes: Buffer) => relay.loses(bytes) || call.write(bytes));
      call.on('data', (bytes: Buffer) => upstream.write(bytes));
      for (const event of ['error', 'end']) upstream.on(event, end);
      for (const event of ['error', 'end', 'cancelled']) call.on(event, end);
    };
  for (const method of METHODS) {
    const path = `${SERVICE}/${method}`;
    server.addService({ stream: { path, requestStream: true, responseStream: true, ...BYTES } }, { stream: relayTo(path) });
  }
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  const cut = (): void => {
    for (const end of [...cuts]) end();
  };
  const relay: AdsRelay = {
    port,
    loses: () => false,
    cut,
    stop: () => {
      cut();
      server.forceShutdown();
    },
  };
  return relay;
}
