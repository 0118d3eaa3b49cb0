/** What the bus remembers of earlier lives of this hub's database. */
import type { Bus } from '@hawser/bus/bus.ts';
import { listStream } from '@hawser/bus/ordered-consumer.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import { HUB, open } from '@hawser/wire/envelope.ts';
import { type Signer, verifierOf } from '@hawser/wire/signing.ts';
import { CONFIG_PREFIX, CONFIG_STREAM, DIGEST_KEY } from '@hawser/wire/subjects.ts';

/** A point in the hub's history. */
export interface Moment {
  readonly epoch: number;
  readonly revision: number;
}

const TIMEOUT_MS = 15_000;

/** The newest digest that this hub's key signed; undefined when the stream is not there or holds none. */
export async function newestOnBus(bus: Bus, signer: Signer, log: Logger): Promise<Moment | undefined> {
  const filter = `${CONFIG_PREFIX}.*.${DIGEST_KEY}`;
  const listed = await listStream({ bus, stream: CONFIG_STREAM, filter, log, timeoutMs: TIMEOUT_MS });
  const verifier = verifierOf(signer.publicKey);
  let newest: Moment | undefined;
  for (const { bytes } of listed?.messages ?? []) {
    const document = open(bytes, (from) => (from === HUB ? verifier : undefined));
    if (typeof document === 'object' && (newest === undefined || isPast(newest, document))) newest = document;
  }
  return newest;
}

/** Whether `moment` comes before `other`. */
export function isPast(moment: Moment, other: Moment): boolean {
  return moment.epoch < other.epoch || (moment.epoch === other.epoch && moment.revision < other.revision);
}
