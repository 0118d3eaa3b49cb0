/** The demo with a cluster on Kubernetes, on a PostgreSQL and a NATS of others: what the whole scenario does not cover. */
import { execFileSync, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { natsServerBinary } from '@hawser/runtime/binaries.ts';
import { isAlive } from '@hawser/runtime/process-record.ts';
import { expect, it } from 'vitest';
import { BUILD_MS, canRunKubernetes } from '../../kit/kube-apiserver-binary.ts';
import { freePort } from '../../kit/ports.ts';
import { startTestPostgres } from '../../kit/postgres.ts';
import { available } from '../../kit/requirements.ts';
import { demoState, startDemoProcess } from '../demo-process.ts';

const HAWSER = join(import.meta.dirname, '../../../services/cli/src/main.ts');

/** An nats-server as an operator would run it beside the hub: with the configuration that the hub prints. */
async function startExternalNats(stateDir: string): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const port = await freePort();
  const printed = execFileSync(process.execPath, [HAWSER, '--state-dir', stateDir, 'hub', 'nats-config'], { encoding: 'utf8' });
  const config = printed.replace('0.0.0.0:4222', `127.0.0.1:${port}`).replace('/var/lib/nats', join(stateDir, 'external-nats'));
  writeFileSync(join(stateDir, 'nats.conf'), config);
  const child = spawn(natsServerBinary(), ['-c', join(stateDir, 'nats.conf')], { stdio: 'ignore' });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
  };
  return { url: `nats://127.0.0.1:${port}`, stop };
}

/** Kubernetes takes no loopback address for a Pod, and only root gives this machine others. */
const canMix = [canRunKubernetes(), available('root')].every(Boolean);

it.skipIf(!canMix)(
  'every service of a mixed federation is called from every region, on servers of others',
  { timeout: BUILD_MS },
  async () => {
    const { stateDir, remove } = demoState();
    const postgres = await startTestPostgres();
    const nats = await startExternalNats(stateDir);
    try {
      const servers = ['--database-url', await postgres.database({ migrated: false }), '--nats-url', nats.url];
      const demo = await startDemoProcess(stateDir, '127.92', ['--kubernetes', '--only', 'discovery', ...servers]);
      expect(await demo.ended, demo.output()).toBe(0);
      expect(demo.output()).toContain('us-west is a cluster on Kubernetes');
      expect(demo.output()).toContain('ratings from us-west');
      expect(demo.pids().filter(isAlive)).toEqual([]);
    } finally {
      await nats.stop();
      await postgres.stop();
      remove();
    }
  },
);
