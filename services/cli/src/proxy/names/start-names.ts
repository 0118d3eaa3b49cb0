/** The resolver of a captured workload, or of an outbound gateway, with its names from Envoy and its resolvers from the machine. */
import { PORTS } from '@hawser/model/ports.ts';
import { hostResolvers } from './host-resolvers.ts';
import { startNamesSource } from './names-source.ts';
import { startResolver } from './resolver.ts';

/** Starts both; rejects when the port is taken. */
export async function startNames(options: {
  readonly addresses: readonly string[];
  /** Whether names of others are asked for at the machine's resolvers; else they are refused. */
  readonly forwards: boolean;
  readonly say: (text: string) => void;
}): Promise<{ stop(): Promise<void> }> {
  const source = startNamesSource(options.say);
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
