/** What is repeated and what never is: applications and sidecars die under load, and a POST arrives at most once. */
import type { VirtualServiceHttp } from '@hawser/model/istio/specs.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TestEnvoy } from '../kit/envoy.ts';
import { type App, postCounts, startApp } from './kit/app.ts';
import { type Answer, call, stream, type Tally } from './kit/load.ts';
import { Mesh } from './kit/mesh.ts';
import { until } from './kit/until.ts';

const CLIENT = '127.78.5.11';
const LOCAL = ['127.78.5.12', '127.78.5.13'];
/** More of them: what was ejected in one test is not waited for in the next. */
const SPARE = ['127.78.5.14', '127.78.5.15'];
const REMOTE = ['127.78.6.11', '127.78.6.12'];
const HOST = 'ratings.bookinfo.svc.clusterset.local';
const to = { via: CLIENT, host: HOST };

let mesh: Mesh;
let client: TestEnvoy;
const apps = new Map<string, App>();
const sidecars = new Map<string, TestEnvoy>();

function app(address: string): App {
  const found = apps.get(address);
  if (found === undefined) throw new Error(`no application at ${address}`);
  return found;
}

function endpoints(local: readonly string[], remote: readonly string[]): void {
  mesh.service('bookinfo/ratings', 'east', { endpoints: local.map((address) => ({ address })) });
  mesh.service('bookinfo/ratings', 'west', { endpoints: remote.map((address) => ({ address })) });
}

/** A rule, and one for everything that it does not match. */
function rule(http: VirtualServiceHttp): void {
  mesh.policy({
    apiVersion: 'networking.istio.io/v1',
    kind: 'VirtualService',
    metadata: { namespace: 'bookinfo', name: 'ratings' },
    spec: { hosts: ['ratings'], http: [http, { route: [{ destination: { host: 'ratings' } }] }] },
  });
}

async function served(by: readonly string[]): Promise<void> {
  await until(
    async () => by.includes((await call(to)).servedBy),
    () => `not served by ${by.join()}: ${mesh.nacks.join()}`,
  );
}

/** The tally of a steady load, one in twenty a POST, in the middle of which something dies. */
async function under(death: () => Promise<unknown>): Promise<Tally> {
  const load = stream(to, 200, 20);
  const reach = async (count: number): Promise<void> =>
    until(
      () => load.tally.sent >= count,
      () => `load stopped: ${load.tally.sent}`,
    );
  await reach(100);
  await death();
  await reach(load.tally.sent + 600);
  return load.stop();
}

function failedGets(tally: Tally): string[] {
  return [...tally.failures.keys()].filter((kind) => kind.startsWith('GET'));
}

beforeAll(async () => {
  mesh = await Mesh.start([
    { name: 'east', gateways: ['127.78.5.1:15443'] },
    { name: 'west', gateways: ['127.78.6.1:15443'] },
  ]);
  endpoints(LOCAL, REMOTE);
  mesh.service('bookinfo/productpage', 'east', { endpoints: [{ address: CLIENT }] });
  for (const address of [...LOCAL, ...SPARE, ...REMOTE]) apps.set(address, await startApp(address, address));
  const start = async (cluster: string, address: string): Promise<void> => {
    sidecars.set(address, await mesh.sidecar(cluster, address, 'bookinfo/ratings'));
  };
  await Promise.all([...[...LOCAL, ...SPARE].map((address) => start('east', address)), ...REMOTE.map((address) => start('west', address))]);
  await mesh.gateway('west', '127.78.6.1');
  client = await mesh.sidecar('east', CLIENT, 'bookinfo/productpage');
  await served(LOCAL);
});

afterAll(async () => {
  await mesh?.stop();
  await Promise.all([...apps.values()].map((one) => one.crash()));
});

/** How often a POST arrived when the nearest application answers like this. */
async function postTo(answer: App['answer'], id: string): Promise<{ answer: Answer; arrived: number }> {
  const nearest = app(LOCAL[0] ?? '');
  const before = nearest.answer;
  // An answer in between: three failures in a row would eject it.
  expect((await call(to)).servedBy).toBe(nearest.name);
  nearest.answer = answer;
  const got = await call({ ...to, method: 'POST', headers: { 'x-id': id } });
  nearest.answer = before;
  return { answer: got, arrived: [...apps.values()].reduce((sum, one) => sum + (one.received.get(`POST ${id}`) ?? 0), 0) };
}

describe('an application that fails by itself', () => {
  beforeAll(async () => {
    endpoints(LOCAL.slice(0, 1), REMOTE.slice(0, 1));
    await until(
      async () => !(await client.admin('/clusters')).includes(`${HOST}::${LOCAL[1]}`),
      () => 'endpoints did not change',
    );
  });

  test('gets a POST once though it cuts the connection, and a GET again elsewhere', async () => {
    const post = await postTo((request) => request.socket.destroy(), 'cut');
    expect(post.answer.status).toBe(503);
    expect(post.arrived).toBe(1);
    const nearest = app(LOCAL[0] ?? '');
    const { answer } = nearest;
    nearest.answer = (request) => request.socket.destroy();
    expect(await call({ ...to, headers: { 'x-id': 'cut' } })).toMatchObject({ status: 200, servedBy: REMOTE[0] });
    nearest.answer = answer;
  });

  test('cannot claim that it was never reached', async () => {
    const post = await postTo((_request, response) => void response.writeHead(503, { 'x-hawser-unsent': '1' }).end('liar'), 'liar');
    expect(post.answer).toMatchObject({ status: 503, body: 'liar' });
    expect(post.answer.headers['x-hawser-unsent']).toBeUndefined();
    expect(post.arrived).toBe(1);
  });

  test('gets a POST again only when a rule for POST alone asks for it', async () => {
    const failing: App['answer'] = (_request, response) => void response.writeHead(500).end();
    const retries = { attempts: 2, retryOn: '5xx' };
    const route = [{ destination: { host: 'ratings' } }];
    let asked = 0;
    const retriedGet = async (): Promise<boolean> => {
      const nearest = app(LOCAL[0] ?? '');
      const { answer } = nearest;
      nearest.answer = failing;
      const got = await call(to);
      nearest.answer = answer;
      return got.status === 200;
    };
    rule({ route, retries });
    await until(retriedGet, () => 'the rule is not in force');
    for (asked = 0; asked < 20; asked += 1) expect((await postTo(failing, `any ${asked}`)).arrived).toBe(1);
    rule({ route, retries, match: [{ method: { exact: 'POST' } }] });
    const postedTwice = async (): Promise<boolean> => {
      asked += 1;
      return (await postTo(failing, `asked for ${asked}`)).arrived === 2;
    };
    await until(postedTwice, () => 'the rule for POST is not in force');
    mesh.clearPolicies();
  });
});

describe('no GET fails and no POST arrives twice while', () => {
  test('every local application dies behind its living sidecar', async () => {
    endpoints(LOCAL, REMOTE);
    await served(LOCAL.slice(1));
    const tally = await under(() => Promise.all(LOCAL.map((address) => app(address).crash())));
    expect(failedGets(tally)).toEqual([]);
    expect(tally.failed).toBeLessThanOrEqual(4);
  });

  test('every local instance dies, application and sidecar', async () => {
    endpoints(SPARE, REMOTE);
    await served(SPARE);
    const tally = await under(() => Promise.all(SPARE.flatMap((address) => [sidecars.get(address)?.stop(), app(address).crash()])));
    expect(failedGets(tally)).toEqual([]);
    expect(tally.failed).toBeLessThanOrEqual(4);
  });

  test('over all of it', () => {
    const posts = postCounts([...apps.values()]);
    expect(posts.length).toBeGreaterThan(50);
    expect(posts.filter((count) => count > 1)).toEqual([2]);
  });
});
