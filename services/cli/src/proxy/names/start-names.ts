/** The resolver of a captured workload, or of an outbound gateway, with its names from Envoy and its resolvers from the machine. */
import { networkInterfaces } from 'node:os';
import { PORTS } from '@hawser/model/ports.ts';
import { hostResolvers } from './host-resolvers.ts';
import { startNamesSource } from './names-source.ts';
import { startResolver } from './resolver.ts';

/** Starts both; rejects when the port is taken. */
export async function startNames(options: {
  readonly addresses: readonly string[];
  /** Whether names of others are asked for at the machine's resolvers; else they are refused. */
  readonly forwards: boolean;
  /** Whether what a workload calls by IPv6 is led to its sidecar. */
  readonly capturesIpv6: boolean;
  readonly say: (text: string) => void;
}): Promise<{ stop(): Promise<void> }> {
  const source = startNamesSource(options.say, () => options.capturesIpv6 && hasIpv6());
  try {
    const resolver = await startResolver({
      ...{ addresses: options.addresses, port: PORTS.dns },
      table: () => source.table,
      ...(options.forwards ? { resolvers: hostResolvers() } : {}),
    });
    return {
      stop: () => {
        source.stop();
        return resolver.stop();
      },
    };
  } catch (error) {
    source.stop();
    throw error;
  }
}

/**
 * Whether there is an address to call others by: the kernel refuses a connection that it has no route for before any rule leads it
 * elsewhere, and not every program tries the next address.
 */
function hasIpv6(): boolean {
  return Object.values(networkInterfaces()).some((all) =>
    all?.some(({ family, internal, address }) => family === 'IPv6' && !internal && !address.startsWith('fe80:')),
  );
}
