/** Two agents of one cluster as processes, their proxies real Envoys under traffic: the publisher is killed, then another stands still. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type App, startApp } from '../datapath/kit/app.ts';
import { call, type Stream, stream } from '../datapath/kit/load.ts';
import { serviceFile } from '../kit/federation.ts';
import { HawserProcesses, type Running, type RunningCluster } from '../kit/hawser-processes.ts';
import { eventually } from '../kit/served.ts';
import { account } from '../kit/totals.ts';

const [CLIENT, SERVER] = ['127.87.5.11', '127.87.5.12'] as const;
const HOST = 'reviews.bookinfo.svc.clusterset.local';

interface Replica {
  readonly agent: Running;
  readonly adminPort: number;
}

describe('two agents of one cluster, under traffic', () => {
  const hawser = new HawserProcesses();
  let app: App;
  let east: RunningCluster;
  let west: RunningCluster;
  let first: Replica;
  let second: Replica;
  let load: Stream | undefined;

  const registry = (...addresses: string[]): void => east.put('details.yaml', serviceFile('details', addresses));
  const knows = async (adminPort: number, text: string): Promise<boolean> =>
    (await (await fetch(`http://127.0.0.1:${adminPort}/debug/world`, { signal: AbortSignal.timeout(5_000) })).text()).includes(text);
  const publishes = async ({ adminPort }: Replica): Promise<boolean> =>
    /^agent_publisher 1$/m.test(await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text());
  /** The connected proxies of the cluster, as the hub shows them. */
  const proxies = async (): Promise<string[]> =>
    (JSON.parse(await hawser.api('/hawser/v1/proxies')) as { proxies: readonly { cluster: string; proxy: string }[] }).proxies
      .filter(({ cluster }) => cluster === 'us-east')
      .map(({ proxy }) => proxy)
      .sort();

  beforeAll(async () => {
    app = await startApp('reviews', SERVER);
    await hawser.startHub();
    [east, west] = await Promise.all([
      hawser.join('us-east', { 'reviews.yaml': serviceFile('reviews', [SERVER]) }),
      hawser.join('us-west', {}),
    ]);
    first = east;
    const other = await east.another('second');
    second = other;
    const agents = [`127.0.0.1:${east.xdsPort}`, `127.0.0.1:${other.xdsPort}`];
    await Promise.all([
      hawser.proxy('us-east', { serviceAccount: 'default', address: SERVER, agents }),
      hawser.proxy('us-east', { serviceAccount: 'client', address: CLIENT, agents }),
    ]);
    await eventually(async () => (await call({ via: CLIENT, host: HOST })).status === 200, 'no request goes through');
  }, 120_000);
  afterAll(async () => {
    await load?.stop();
    await hawser.stop();
    await app.crash();
  });

  it('lose no request, and go on publishing, when the publisher is killed or stands still', { timeout: 120_000 }, async () => {
    expect([await publishes(first), await publishes(second)]).toEqual([true, false]);
    await eventually(async () => (await proxies()).join() === 'client,default', 'the hub does not show each proxy once');
    expect((await hawser.run(['status'])).stdout).toMatch(/us-east +us-east +2\/2 ready/);
    const running = stream({ via: CLIENT, host: HOST }, 50);
    load = running;

    first.agent.kill('SIGKILL');
    registry('127.87.5.21');
    const killed = performance.now();
    await eventually(() => knows(west.adminPort, '127.87.5.21'), 'nobody took over');
    const takeover = performance.now() - killed;
    await eventually(async () => (await proxies()).join() === 'client,default', 'the proxies did not move to the other agent');
    for (const name of ['client', 'default']) {
      const shown = await hawser.run(['proxy-config', `us-east/${name}`, 'endpoints', '-o', 'json']);
      expect(shown).toMatchObject({ status: 0 });
      expect(shown.stdout).toContain('127.87.5.21');
    }
    const explained = await hawser.run(['explain-route', 'us-east/client', `http://${HOST}/`, '-X', 'post', '-H', 'x: y']);
    expect(explained.stdout).toMatch(
      /^POST http:[\s\S]*^taken +no rule[\s\S]*2 retries on connect-failure[\s\S]*^upstream[\s\S]* 127\.87\.5\.12:15006 .* HEALTHY$/m,
    );

    await east.startAgain();
    first = { agent: east.agent, adminPort: east.adminPort };
    expect([await publishes(first), await publishes(second)]).toEqual([false, true]);
    second.agent.kill('SIGSTOP');
    const stopped = performance.now();
    registry('127.87.5.21', '127.87.5.22');
    await eventually(() => knows(west.adminPort, '127.87.5.22'), 'nobody took over');
    const pause = performance.now() - stopped;
    registry('127.87.5.22');
    await eventually(async () => !(await knows(west.adminPort, '127.87.5.21')), 'the new publisher does not publish');
    second.agent.kill('SIGCONT');
    await eventually(async () => !(await publishes(second)), 'the old publisher still believes in its lease');
    registry('127.87.5.23');
    await eventually(() => knows(west.adminPort, '127.87.5.23'), 'the publisher fell silent');
    expect(await knows(west.adminPort, '127.87.5.21')).toBe(false);

    const tally = await running.stop();
    console.log(
      `agent failover: ${tally.sent} requests, ${tally.failed} failed; takeover ${Math.round(takeover)} ms after SIGKILL, ${Math.round(pause)} ms after SIGSTOP`,
    );
    // Every write that was awaited above has arrived; what went back would show here.
    account({ writes: 5, documents: 5, staleOrForged: (await knows(west.adminPort, '127.87.5.21')) ? 1 : 0 });
    expect([...tally.failures]).toEqual([]);
    expect(tally.sent).toBeGreaterThan(200);
  });
});
