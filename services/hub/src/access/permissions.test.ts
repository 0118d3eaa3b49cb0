import { KINDS } from '@hawser/model/kinds.ts';
import { ROLES, type Role } from '@hawser/wire/access.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestHub } from '../../../../test/kit/hub-core.ts';
import { startWholeHub } from '../../../../test/kit/hub-routes.ts';
import { startTestPostgres, type TestPostgres } from '../../../../test/kit/postgres.ts';
import { KIND_ROLES, permissionOf, ROUTE_PERMISSIONS } from './permissions.ts';

let postgres: TestPostgres;
let hub: TestHub;
let routes: { readonly method: string; readonly url: string }[];

beforeAll(async () => {
  postgres = await startTestPostgres();
  hub = await startWholeHub(await postgres.database());
  await hub.core.app.ready();
  routes = hub.core.app.declared.flatMap(({ method, url }) => [method].flat().map((one) => ({ method: one, url })));
});
afterAll(async () => {
  await hub.stop();
  await postgres.stop();
});

async function tokenOf(role: Role, namespaces?: readonly string[]): Promise<string> {
  const name = `all-${role}-${namespaces?.join('-') ?? 'everywhere'}`;
  const { code, body } = await hub.call('POST', '/hawser/v1/tokens', { name, role, ...(namespaces === undefined ? {} : { namespaces }) });
  expect(code).toBe(201);
  return (body as unknown as { token: string }).token;
}

async function ask(token: string | undefined, route: { readonly method: string; readonly url: string }, namespace = 'bookinfo') {
  const url = route.url
    .replace(':namespace', namespace)
    .replace(':revision', '1')
    .replace(/:section/, 'clusters')
    .replace(/:[a-z]+/g, 'none');
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const query = route.url.includes('rollouts') ? '?timeout=0s' : '';
  return hub.core.app.inject({ method: route.method as 'GET', url: `${url}${query}`, headers });
}

describe('the table of permissions', () => {
  it('has a line for every registered route, and no line without a route', () => {
    const undeclared = routes.filter(({ method, url }) => permissionOf(method, url) === undefined);
    expect(undeclared, 'add these to access/permissions.ts').toEqual([]);
    const known = new Set(routes.map(({ method, url }) => `${method} ${url}`));
    expect(Object.keys(ROUTE_PERMISSIONS).filter((key) => !known.has(key))).toEqual([]);
    expect(KINDS.filter(({ kind }) => KIND_ROLES[kind] === undefined)).toEqual([]);
  });

  it('opens these routes to strangers and no others', () => {
    const open = routes.filter(({ method, url }) => method !== 'HEAD' && permissionOf(method, url)?.role === undefined);
    expect(open.map(({ method, url }) => `${method} ${url}`).sort()).toEqual(
      [
        ...[
          'GET /',
          'GET /livez',
          'GET /metrics',
          'GET /openapi.json',
          'GET /page/overview',
          'GET /page/page.css',
          'GET /page/page.js',
          'GET /readyz',
        ],
        ...['POST /join/v1/enroll', 'POST /join/v1/renew'],
        // A report can be verified by whoever was given it.
        'GET /hawser/v1/drill-report-keys',
        // Bundles are what everybody is to know (SPIFFE Trust Domain and Bundle 5).
        'GET /spiffe/v1/bundles/:name',
      ].sort(),
    );
  });

  it.each(ROLES)('%s is let through where its role suffices, and refused by name elsewhere', async (role) => {
    const token = await tokenOf(role);
    for (const route of routes) {
      const needed = permissionOf(route.method, route.url)?.role;
      if (needed === undefined) continue;
      const answer = await ask(token, route);
      const may = ROLES.indexOf(role) >= ROLES.indexOf(needed);
      expect([route, answer.statusCode === 403]).toEqual([route, !may]);
      expect(answer.statusCode).not.toBe(401);
      if (!may && route.method !== 'HEAD') {
        expect(answer.json()).toMatchObject({ kind: 'Status', reason: 'Forbidden', message: expect.stringContaining(`needs ${needed}`) });
      }
    }
  });

  it('refuses strangers everywhere else', async () => {
    for (const route of routes) {
      if (permissionOf(route.method, route.url)?.role === undefined) continue;
      expect([route, (await ask(undefined, route)).statusCode]).toEqual([route, 401]);
    }
  });

  it('keeps a token within its namespaces', async () => {
    const token = await tokenOf('operator', ['shop', 'bookinfo']);
    for (const route of routes) {
      const permission = permissionOf(route.method, route.url);
      if (permission?.role === undefined || ROLES.indexOf(permission.role) > ROLES.indexOf('operator')) continue;
      const [inside, outside] = [await ask(token, route), await ask(token, route, 'payments')];
      expect([route, inside.statusCode === 403]).toEqual([route, permission.limited === 'closed']);
      expect([route, outside.statusCode === 403]).toEqual([route, permission.limited !== 'open']);
    }
    const refusal = await ask(
      token,
      { method: 'GET', url: '/apis/networking.istio.io/v1/namespaces/:namespace/virtualservices' },
      'payments',
    );
    expect(refusal.json<{ message: string }>().message).toMatch(/good for the namespaces shop, bookinfo alone, not for payments/);
  });

  it('refuses a route that nobody declared, to administrators too', async () => {
    const other = await startWholeHub(await postgres.database());
    other.core.app.get('/elsewhere', async () => 'yes');
    const answer = await other.call('GET', '/elsewhere');
    expect(answer).toMatchObject({ code: 403, body: { message: expect.stringContaining('permissions.ts') } });
    await other.stop();
  });
});
