import { connect } from 'node:net';

/** What answers at an address: a NATS server by its name, another program, or nobody. */
export type Probe = { readonly kind: 'nats'; readonly serverName: string } | { readonly kind: 'other' } | { readonly kind: 'closed' };

/** Asks an address who it is: a NATS server greets with `INFO {json}` (NATS client protocol). Answers within `deadlineMs`. */
export function probeNats(host: string, port: number, deadlineMs = 1000): Promise<Probe> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    let greeting = '';
    const finish = (probe: Probe): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(probe);
    };
    const timer = setTimeout(() => finish({ kind: 'other' }), deadlineMs);
    socket.setEncoding('utf8');
    socket.on('error', () => finish({ kind: 'closed' }));
    socket.on('end', () => finish({ kind: 'other' }));
    socket.on('data', (chunk: string) => {
      greeting += chunk;
      const end = greeting.indexOf('\r\n');
      if (end >= 0) finish(read(greeting.slice(0, end)));
      else if (greeting.length > 65_536) finish({ kind: 'other' });
    });
  });
}

function read(line: string): Probe {
  if (!line.startsWith('INFO ')) return { kind: 'other' };
  try {
    const info: unknown = JSON.parse(line.slice(5));
    const name = typeof info === 'object' && info !== null && 'server_name' in info ? info.server_name : undefined;
    return typeof name === 'string' ? { kind: 'nats', serverName: name } : { kind: 'other' };
  } catch {
    return { kind: 'other' };
  }
}
