/** Disks that take nothing any more, under a real hub and agents: nobody loses what is acknowledged or served, and all goes on with room. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serviceFile } from '../kit/federation.ts';
import { canLimitFiles, canMount, limitFiles, mountSmallDisk, type SmallDisk } from '../kit/full-disk.ts';
import { HawserProcesses, type RunningCluster } from '../kit/hawser-processes.ts';
import { eventually } from '../kit/served.ts';
import { account } from '../kit/totals.ts';

const MOUNTS = canMount();
/** NATS is looked after every five seconds, and has to fail twice. */
const RENEWED_MS = 150_000;
const route = (seconds: number): string => `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: bookinfo}
spec: {hosts: [reviews], http: [{timeout: ${seconds}s, route: [{destination: {host: reviews}}]}]}
`;

describe('a full disk', { timeout: 240_000 }, () => {
  const hawser = new HawserProcesses();
  let disk: SmallDisk | undefined;
  let east: RunningCluster;
  let west: RunningCluster;

  const world = async ({ adminPort }: RunningCluster = east): Promise<string> =>
    (await fetch(`http://127.0.0.1:${adminPort}/debug/world`)).text();
  const apply = async (seconds: number, ...flags: string[]): Promise<number | null> =>
    (await hawser.run(['apply', '-f', '-', '--allow-unresolved', ...flags], { input: route(seconds) })).status;
  /** Addresses in the west's last octet. */
  const put = (...last: number[]): void =>
    west.put('reviews.yaml', serviceFile('reviews', ['127.87.7.21', ...last.map((one) => `127.87.7.${one}`)]));

  beforeAll(async () => {
    if (MOUNTS) disk = mountSmallDisk(join(hawser.folder, '.hawser/hub/nats/data'), 12);
    await hawser.startHub();
    [east, west] = await Promise.all([
      hawser.join('us-east', { 'reviews.yaml': serviceFile('reviews', ['127.87.7.11']) }),
      hawser.join('us-west', { 'reviews.yaml': serviceFile('reviews', ['127.87.7.21']) }),
    ]);
    await eventually(async () => (await world()).includes('127.87.7.21'), 'the clusters never met');
  }, 120_000);
  afterAll(async () => {
    disk?.unmount();
    await hawser.stop();
  });

  it.runIf(canLimitFiles())('of an agent: it serves and publishes from memory, says so, and starts from its last good state', async () => {
    put(31);
    await eventually(async () => (await world()).includes('127.87.7.31'), 'it never published');
    limitFiles([west.agent.pid], 1);
    put(32);
    await eventually(async () => (await world()).includes('127.87.7.32'), 'it does not publish');
    await eventually(async () => (await world(west)).includes('"place":"state"'), 'nobody is told of the disk');
    await west.agent.end('SIGKILL');
    await west.startAgain();
    put(32, 33);
    await eventually(async () => (await world()).includes('127.87.7.33'), 'it never recovers');
    const text = await world();
    account({ writes: 3, pushes: 3, lost: ['127.87.7.32', '127.87.7.33'].filter((address) => !text.includes(address)).length });
    expect(text).toContain('127.87.7.21');
  });

  it.runIf(MOUNTS)(
    'of NATS, which is killed meanwhile: writes are acknowledged, agents keep what they have, and all arrives with room',
    async () => {
      expect(await apply(1, '--wait')).toBe(0);
      const looks = { taken: 0, empty: 0 };
      const watching = setInterval(async () => {
        const text = await world().catch(() => '127.87.7.21');
        looks.taken += 1;
        if (!text.includes('127.87.7.21')) looks.empty += 1;
      }, 100);
      disk?.fill();
      const { pid } = JSON.parse(readFileSync(join(hawser.folder, '.hawser/hub/nats.json'), 'utf8')) as { pid: number };
      put(41);
      expect(await apply(2)).toBe(0);
      process.kill(pid, 'SIGKILL');
      put(42);
      expect(await apply(3)).toBe(0);
      const log = join(hawser.folder, '.hawser/hub/nats/nats.log');
      await eventually(() => readFileSync(log, 'utf8').includes('no space left on device'), 'the disk is not full');
      disk?.free();
      const arrived = async (): Promise<boolean> => {
        const text = await world();
        return text.includes('"timeout":"3s"') && text.includes('127.87.7.42') && !text.includes('127.87.7.41');
      };
      await eventually(arrived, 'what was acknowledged never arrived', RENEWED_MS);
      expect(await apply(4, '--wait')).toBe(0);
      clearInterval(watching);
      account({ writes: 6, removals: 1, pushes: looks.taken, emptyPushes: looks.empty });
      expect(looks.taken).toBeGreaterThan(10);
      expect(looks.empty).toBe(0);
    },
  );
});
