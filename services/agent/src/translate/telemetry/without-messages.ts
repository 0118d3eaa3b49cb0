/**
 * Observers of ports whose applications speak no HTTP/2, where nothing is gRPC: nobody counts its messages. A chain that does keeps an
 * interpreter, some 185 KiB; a gateway that speaks for thousands of workloads has a chain for each kind of them. Pure.
 */
import { COUNTS_MESSAGES, WAS_COUNTED } from './grpc-messages.ts';
import type { Observers } from './proxy-telemetry.ts';

/** What is made of observers is known by them. */
const known = new WeakMap<Observers, Observers>();

/** The same observers without what counts messages; the same object for the same ones. */
export function withoutMessages(observers: Observers): Observers {
  const before = known.get(observers);
  if (before !== undefined) return before;
  const made: Observers = {
    http: (side, chain) => {
      const all = observers.http(side, chain);
      return {
        ...all,
        accessLog: all.accessLog.filter(({ filter }) => filter !== WAS_COUNTED),
        lastFilters: all.lastFilters.filter((one) => one !== COUNTS_MESSAGES),
      };
    },
    tcp: (side, chain) => observers.tcp(side, chain),
  };
  known.set(observers, made);
  return made;
}
