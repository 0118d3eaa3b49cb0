import { Agent, request } from 'node:http';
import type { Place } from './workload.ts';

const connections = new Agent({ keepAlive: true, maxSockets: 64 });

/** What a called service answered, or why it did not. */
export interface Called<Body> {
  readonly body: Body | undefined;
  readonly error: string | undefined;
}

/** Calls `GET PATH` of another Bookinfo service through the workload's own sidecar. Never throws; gives up after 900 ms. */
export function call<Body>(from: Place, service: string, path: string): Promise<Called<Body>> {
  return new Promise((resolve) => {
    const failed = (error: string): void => resolve({ body: undefined, error });
    const outgoing = request(
      {
        agent: connections,
        host: from.sidecar,
        port: 15001,
        path,
        headers: { host: `${service}.bookinfo.svc.clusterset.local` },
        timeout: 900,
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (part: string) => (text += part));
        response.on('error', (error) => failed(error.message));
        response.on('end', () => {
          if (response.statusCode !== 200) return failed(`${service} answered ${response.statusCode}: ${text.slice(0, 120)}`);
          try {
            resolve({ body: JSON.parse(text) as Body, error: undefined });
          } catch {
            failed(`${service} did not answer JSON`);
          }
        });
      },
    );
    outgoing.on('timeout', () => outgoing.destroy(new Error(`${service} did not answer in 900 ms`)));
    outgoing.on('error', (error) => failed(error.message));
    outgoing.end();
  });
}
