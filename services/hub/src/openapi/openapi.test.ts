import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { TestHub } from '../../../../test/kit/hub-core.ts';
import { startWholeHub } from '../../../../test/kit/hub-routes.ts';
import { startTestPostgres, type TestPostgres } from '../../../../test/kit/postgres.ts';

interface Operation {
  readonly operationId: string;
  readonly parameters: readonly { readonly name: string; readonly in: string; readonly description?: string }[];
  readonly responses: Readonly<Record<string, { readonly description: string }>>;
  readonly security: readonly object[];
}
interface Document {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
}

let postgres: TestPostgres;
let hub: TestHub;
let document: Document;

beforeAll(async () => {
  postgres = await startTestPostgres();
  hub = await startWholeHub(await postgres.database());
  const answer = await hub.core.app.inject('/openapi.json');
  expect(answer.statusCode).toBe(200);
  document = answer.json<Document>();
});
afterAll(async () => {
  await hub.stop();
  await postgres.stop();
});

it('has every registered route and no other', () => {
  const registered = hub.core.app.declared.flatMap(({ method, url }) =>
    [method]
      .flat()
      .filter((one) => one !== 'HEAD')
      .map((one) => `${one} ${url.replace(/:([a-zA-Z]+)/g, '{$1}')}`),
  );
  const described = Object.entries(document.paths).flatMap(([path, all]) =>
    Object.keys(all).map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(described.sort()).toEqual(registered.sort());
});

it('is OpenAPI 3.1 in its structure', () => {
  expect(document.openapi).toMatch(/^3\.1\.\d$/);
  const ids = new Set<string>();
  for (const [path, all] of Object.entries(document.paths)) {
    for (const operation of Object.values(all)) {
      expect(ids.has(operation.operationId)).toBe(false);
      ids.add(operation.operationId);
      const inPath = operation.parameters.filter((one) => one.in === 'path').map(({ name }) => name);
      expect(inPath).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name));
      expect(Object.values(operation.responses).every(({ description }) => description !== '')).toBe(true);
    }
  }
});

it('has the query parameters that the API knows, of every verb', async () => {
  const collection = '/apis/hawser.dev/v1alpha1/namespaces/{namespace}/failoverpolicies';
  const verbs = [
    ['GET', collection],
    ['POST', collection],
    ['PUT', `${collection}/{name}`],
    ['PATCH', `${collection}/{name}`],
    ['DELETE', `${collection}/{name}`],
    ['GET', `${collection}/{name}/history`],
    ['POST', `${collection}/{name}/rollback`],
  ] as const;
  for (const [method, path] of verbs) {
    const operation = document.paths[path]?.[method.toLowerCase()];
    const told = operation?.parameters.filter((parameter) => parameter.in === 'query') ?? [];
    const url = `${path.replace('{namespace}', 'bookinfo').replace('{name}', 'all')}?nonsense=1`;
    const { code, body } = await hub.call(method, url, method === 'GET' || method === 'DELETE' ? undefined : {});
    expect(code).toBe(400);
    const known = /known are (.*)$/.exec(body.message ?? '')?.[1]?.split(', ');
    expect(told.map(({ name }) => name)).toEqual(known);
    expect(told.every(({ description = '' }) => description.endsWith('.'))).toBe(true);
  }
  const list = document.paths[collection]?.['get']?.parameters.map(({ name }) => name);
  expect(list).toEqual(
    expect.arrayContaining(['labelSelector', 'limit', 'continue', 'watch', 'resourceVersion', 'allowWatchBookmarks', 'timeoutSeconds']),
  );
});

it('has references that resolve, and schemas that judge real answers', async () => {
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map(([, name = '']) => name);
  expect(references.length).toBeGreaterThan(0);
  for (const name of references) expect(Object.keys(document.components.schemas)).toContain(name);
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema(document, 'hub');
  const judge = (name: string) => ajv.compile({ $ref: `hub#/components/schemas/${name}` });
  const policy = { apiVersion: 'hawser.dev/v1alpha1', kind: 'FailoverPolicy', metadata: { name: 'all' }, spec: { order: ['us-east'] } };
  expect(judge('FailoverPolicy')(policy)).toBe(true);
  expect(judge('FailoverPolicy')({ ...policy, spec: { order: 'us-east' } })).toBe(false);
  const { body } = await hub.call('POST', '/apis/hawser.dev/v1alpha1/namespaces/bookinfo/failoverpolicies?allowUnresolved=true', policy);
  expect(judge('FailoverPolicy')(body)).toBe(true);
  const refused = await hub.call('GET', '/apis/hawser.dev/v1alpha1/clusters/none');
  expect([refused.code, judge('Status')(refused.body)]).toEqual([404, true]);
});
