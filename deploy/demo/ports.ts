/** Are the ports free that something is about to listen on, and if not, who has them. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';

/** A place to listen at, and what needs it. */
export interface Listener {
  readonly address: string;
  readonly port: number;
  readonly user: string;
}

/** The listeners that cannot be had, each as a sentence. */
export async function takenPorts(listeners: readonly Listener[]): Promise<string[]> {
  const free = await Promise.all(listeners.map(canListen));
  const taken = listeners.filter((_, index) => free[index] !== true);
  return taken.map((listener, index) => {
    const { address, port, user } = listener;
    const failure = free[listeners.indexOf(listener)];
    if (failure === 'EADDRNOTAVAIL')
      return `address ${address}, which ${user} needs, is not one of this machine's: add it to the loopback interface`;
    const holder = index < 5 ? holderOf(port) : undefined;
    return `port ${port} on ${address}, which ${user} needs, is taken${holder === undefined ? '' : ` by ${holder}`}`;
  });
}

function canListen({ address, port }: Listener): Promise<true | string> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ host: address, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** `NAME (pid N)` of a process that listens on the port, where /proc tells. */
function holderOf(port: number): string | undefined {
  const sockets = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((table) => listeningInodes(table, port));
  const pid = sockets.length === 0 ? undefined : processIds().find((one) => openFiles(one).some((file) => sockets.includes(file)));
  if (pid === undefined) return undefined;
  const command = read(`/proc/${pid}/cmdline`).split('\0').join(' ').trim();
  return `${command.length > 100 ? `${command.slice(0, 100)}…` : command} (pid ${pid})`;
}

/** `socket:[INODE]` of the sockets that listen on a port: columns 2 (address), 4 (state, 0A is LISTEN) and 10 of proc(5)'s table. */
function listeningInodes(table: string, port: number): string[] {
  const hex = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const rows = read(table).split('\n').slice(1);
  const fields = rows.map((row) => row.trim().split(/\s+/));
  return fields.filter(([, local, , state]) => local?.endsWith(hex) === true && state === '0A').map((row) => `socket:[${row[9]}]`);
}

function processIds(): string[] {
  return (attempt(() => readdirSync('/proc')) ?? []).filter((name) => /^\d+$/.test(name));
}

function openFiles(pid: string): string[] {
  const folder = `/proc/${pid}/fd`;
  const files = attempt(() => readdirSync(folder)) ?? [];
  return files.flatMap((fd) => attempt(() => readlinkSync(`${folder}/${fd}`)) ?? []);
}

/** Processes end while one looks at them. */
function attempt<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}

function read(path: string): string {
  return attempt(() => readFileSync(path, 'utf8')) ?? '';
}
