/** A real etcd (Debian's `etcd-server`) for one API server: alone, on loopback, its data gone with it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endServer } from './end-server.ts';
import { freePort } from './ports.ts';
import { eventually } from './served.ts';

/** A running server. */
export interface TestEtcd {
  readonly url: string;
  /** Forgets all revisions before the present one (etcd's own compaction, API v3); returns that one. */
  compact(): Promise<number>;
  /** Ends the process as a crash does; port and data stay. */
  kill(): Promise<void>;
  /** Starts it again, after `kill` if it still runs. */
  restart(): Promise<void>;
  /** Keeps what it holds now; what comes back puts that in place of what it holds then, as a restore does. Both restart it. */
  backup(): Promise<() => Promise<void>>;
  stop(): Promise<void>;
}

/** Starts one: a third of a second. */
export async function startEtcd(): Promise<TestEtcd> {
  const folder = await mkdtemp(join(tmpdir(), 'hawser-etcd-'));
  const [url, peers] = [`http://127.0.0.1:${await freePort()}`, `http://127.0.0.1:${await freePort()}`];
  const args = [
    ...['--data-dir', folder, '--name', 'test', '--log-level', 'error', '--logger', 'zap', '--log-outputs', 'stderr'],
    ...['--listen-client-urls', url, '--advertise-client-urls', url],
    ...['--listen-peer-urls', peers, '--initial-advertise-peer-urls', peers, '--initial-cluster', `test=${peers}`],
  ];
  let child = await start(args, url);
  const kill = (): Promise<void> => endServer(child, 'SIGKILL');
  const restart = async (): Promise<void> => {
    await kill();
    child = await start(args, url);
  };
  const kept = `${folder}-kept`;
  return {
    ...{ url, kill, restart },
    backup: async () => {
      await kill();
      await cp(folder, kept, { recursive: true });
      await restart();
      return async () => {
        await kill();
        await rm(folder, { recursive: true });
        await cp(kept, folder, { recursive: true });
        await restart();
      };
    },
    compact: async () => {
      const { header } = (await ask(`${url}/v3/kv/range`, { key: 'AA==' })) as { header: { revision: string } };
      await ask(`${url}/v3/kv/compaction`, { revision: header.revision, physical: true });
      return Number(header.revision);
    },
    stop: async () => {
      await kill();
      for (const one of [folder, kept]) await rm(one, { recursive: true, force: true });
    },
  };
}

async function start(args: readonly string[], url: string): Promise<ChildProcess> {
  const child = spawn('etcd', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.once('error', ({ message }) => {
    said += message;
  });
  child.stderr.on('data', (text: Buffer) => {
    said = (said + text.toString()).slice(-4_000);
  });
  const isUp = async (): Promise<boolean> => {
    if (child.exitCode !== null || child.pid === undefined) throw new Error(`etcd ended: ${said}`);
    return (await fetch(`${url}/health`).catch(() => undefined))?.ok === true;
  };
  await eventually(isUp, () => `etcd is not up: ${said}`);
  return child;
}

async function ask(url: string, body: object): Promise<unknown> {
  const answer = await fetch(url, { method: 'POST', body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`etcd answered ${answer.status}: ${await answer.text()}`);
  return answer.json();
}
