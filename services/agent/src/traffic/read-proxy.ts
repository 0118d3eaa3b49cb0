/** Asks one proxy for its counts, over a connection that is kept. */
import { Agent, get, type IncomingMessage } from 'node:http';
import { PORTS } from '@hawser/model/ports.ts';
import { TRAFFIC_PATH } from '@hawser/model/traffic-stats.ts';
import { boundedText } from '@hawser/runtime/bounded-text.ts';
import { type ProxyReading, readCounts } from './proxy-counts.ts';

/** Longer answers are refused: 10,000 series of each kind, and those of plain callers, are less. */
const MOST_BYTES = 16 * 1024 * 1024;

/** Reads proxies until it is closed. */
export class ProxyReader {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1, maxFreeSockets: 1 });
  readonly #port: number;

  constructor(port: number = PORTS.stats) {
    this.#port = port;
  }

  /** The counts of the proxy at an address; throws when it does not answer as expected in time. */
  async read(address: string, deadlineMs: number): Promise<ProxyReading> {
    const signal = AbortSignal.timeout(deadlineMs);
    const options = { host: address, port: this.#port, path: TRAFFIC_PATH, agent: this.#agent, signal };
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      get(options, resolve).on('error', reject);
    });
    const text = await boundedText(response, MOST_BYTES);
    if (response.statusCode !== 200) throw new Error(`${address} answered ${response.statusCode} to ${TRAFFIC_PATH}`);
    return readCounts(text);
  }

  close(): void {
    this.#agent.destroy();
  }
}
