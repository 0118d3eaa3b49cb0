/** The application with its own processes; a few lines stand in for the sidecars. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ProcessSet, ROOT } from '../processes.ts';
import { answersOk, get, waitFor } from '../wait.ts';

const ADDRESS = '127.81.250.1';
const PORTS: Readonly<Record<string, number>> = { productpage: 9080, details: 9081, reviews: 9082, ratings: 9083 };
const folder = mkdtempSync(join(tmpdir(), 'hawser-bookinfo-'));
const posts = join(folder, 'posts');
const processes = new ProcessSet(folder, () => {});
let sidecar: Server;

/** Sends a request where its Host says, as a sidecar does; 503 where nobody listens. */
function stand(): Server {
  return createServer((incoming, outgoing) => {
    const port = PORTS[incoming.headers.host?.split('.')[0] ?? ''];
    const upstream = request(
      { host: ADDRESS, port, path: incoming.url, method: incoming.method, headers: incoming.headers },
      (response) => {
        outgoing.writeHead(response.statusCode ?? 500, response.headers);
        response.pipe(outgoing);
      },
    );
    upstream.on('error', () => outgoing.writeHead(503).end('no healthy upstream'));
    incoming.pipe(upstream);
  });
}

function start(service: string, version: string): void {
  const place = [
    '--cluster',
    'us-east',
    '--region',
    'us-east',
    '--version',
    version,
    '--address',
    ADDRESS,
    '--port',
    String(PORTS[service]),
  ];
  const argv = [process.execPath, join(ROOT, `deploy/demo/bookinfo/${service}.ts`), ...place, '--posts-file', posts] as const;
  processes.start({ name: service, argv, address: ADDRESS, adminPort: PORTS[service] ?? 0 });
}

const url = (service: string, path: string): string => `http://${ADDRESS}:${PORTS[service]}${path}`;

beforeAll(async () => {
  sidecar = stand().listen(15001, ADDRESS);
  for (const [service, version] of [
    ['productpage', 'v1'],
    ['details', 'v1'],
    ['reviews', 'v3'],
    ['ratings', 'v1'],
  ] as const)
    start(service, version);
  for (const service of Object.keys(PORTS))
    await waitFor(`${service} does not answer`, () => answersOk(url(service, '/healthz')), { timeoutMs: 20_000 });
});
afterAll(() => {
  processes.sweep();
  sidecar.close();
  rmSync(folder, { recursive: true, force: true });
});

function post(service: string, path: string, { id, body }: { id: string; body: string }): Promise<number> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url(service, path), { method: 'POST', headers: { 'x-post-id': id } }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0));
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

describe('bookinfo', () => {
  test('every answer names service, version, region, cluster and instance', async () => {
    const { headers } = await get(url('reviews', '/ping'));
    const names = ['service', 'version', 'region', 'cluster', 'instance'].map((name) => headers[`x-hawser-${name}`]);
    expect(names).toEqual(['reviews', 'v3', 'us-east', 'us-east', ADDRESS]);
  });

  test('a posted rating is stored, shown in red stars by reviews v3, and its id written down', async () => {
    expect(await post('ratings', '/ratings/0', { id: 'rating-1', body: '{"Reviewer1": 2}' })).toBe(200);
    expect(readFileSync(posts, 'utf8')).toBe('rating-1\n');
    const page = (await get(url('productpage', '/'))).body;
    expect(page).toContain('<span class="red" title="2 of 5">★★☆☆☆</span>');
    expect(page).toContain('reviews v3 in <b>us-east</b>');
  });

  test('a rating out of range is refused, and the page survives it', async () => {
    expect(await post('ratings', '/ratings/0', { id: 'rating-2', body: '{"Reviewer1": 6}' })).toBe(400);
    expect(await post('ratings', '/ratings/0', { id: 'rating-3', body: '<script>' })).toBe(400);
    expect((await get(url('productpage', '/'))).status).toBe(200);
  });

  test('without ratings the page says so and stays up', async () => {
    await processes.kill(...processes.all.filter(({ spec }) => spec.name === 'ratings'));
    const { status, body } = await get(url('productpage', '/'));
    expect(status).toBe(200);
    expect(body).toContain('no rating: ratings answered 503');
  });
});
