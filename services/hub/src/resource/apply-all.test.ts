import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestHubOnPostgres, type TestHubOnPostgres } from '../../../../test/kit/hub-core.ts';

let hub: TestHubOnPostgres;

beforeAll(async () => {
  hub = await startTestHubOnPostgres();
});
afterAll(() => hub.stop());

interface Result {
  readonly action: string;
  readonly revision: number;
  readonly error?: { readonly code: number; readonly reason: string; readonly message: string };
}

async function apply(resources: readonly unknown[], options: object = {}): Promise<readonly Result[]> {
  const { code, body } = await hub.call('POST', '/hawser/v1/apply', { resources, ...options });
  expect(body.message).toBeUndefined();
  expect(code).toBe(200);
  return (body as unknown as { results: Result[] }).results;
}

const API = 'networking.istio.io/v1';
const rule = (namespace: string, name: string, subsets: readonly string[] = ['v1']): object => ({
  ...{ apiVersion: API, kind: 'DestinationRule', metadata: { namespace, name } },
  spec: { host: name, subsets: subsets.map((subset) => ({ name: subset, labels: { version: subset } })) },
});
const route = (namespace: string, name: string, subset: string): object => ({
  ...{ apiVersion: API, kind: 'VirtualService', metadata: { namespace, name } },
  spec: { hosts: [name], http: [{ route: [{ destination: { host: name, subset } }] }] },
});
const actions = (results: readonly Result[]): string[] => results.map(({ action }) => action);

describe('many resources in one request', () => {
  it('are created, replaced or left as they are, with revisions in their order and without a gap', async () => {
    const many = Array.from({ length: 300 }, (_, index) => rule('order', `r-${index}`));
    const created = await apply(many);
    expect(new Set(actions(created))).toEqual(new Set(['created']));
    const first = created[0]?.revision ?? 0;
    expect(created.map(({ revision }) => revision)).toEqual(many.map((_, index) => first + index));
    const again = await apply([rule('order', 'r-0'), rule('order', 'r-1', ['v2']), rule('order', 'new')]);
    expect(again).toEqual([
      { action: 'unchanged', revision: first },
      { action: 'configured', revision: first + 300 },
      { action: 'created', revision: first + 301 },
    ]);
    const one = `/apis/${API}/namespaces/order/destinationrules/r-1`;
    const { body } = await hub.call('GET', one);
    expect(body.metadata).toMatchObject({ generation: 2, resourceVersion: String(first + 300) });
    const past = (await hub.call('GET', `${one}/history`)).body.items as unknown as readonly { readonly resource: { metadata: object } }[];
    expect(past.map(({ resource }) => resource.metadata)).toMatchObject([
      { resourceVersion: String(first + 300) },
      { resourceVersion: String(first + 1) },
    ]);
    const entries = await hub.core.readModel.outboxAfter(first - 1, 1_000);
    expect(entries.map(({ revision, action }) => [revision, action])).toEqual(
      Array.from({ length: 302 }, (_, index) => [first + index, index === 300 ? 'update' : 'create']),
    );
  });

  it('do without those that are refused, each of which says why; the audit has them all', async () => {
    const broken = { apiVersion: API, kind: 'DestinationRule', metadata: { namespace: 'some', name: 'broken' }, spec: {} };
    const stale = { ...rule('some', 'stale', ['v2']), metadata: { namespace: 'some', name: 'stale', resourceVersion: '1' } };
    await apply([rule('some', 'stale')]);
    const token = { apiVersion: 'hawser.dev/v1alpha1', kind: 'JoinToken', metadata: { name: 'x' }, spec: { cluster: 'x', region: 'x' } };
    const results = await apply([rule('some', 'good'), broken, stale, token, null, rule('some', 'good'), rule('some', 'last')]);
    expect(results.map(({ action, error }) => [action, error?.code])).toEqual([
      ['created', undefined],
      ['refused', 422],
      ['refused', 409],
      ['refused', 400],
      ['refused', 400],
      ['refused', 400],
      ['created', undefined],
    ]);
    expect((results[6]?.revision ?? 0) - (results[0]?.revision ?? 0)).toBe(1);
    await expect
      .poll(async () => {
        const { items = [] } = (await hub.call('GET', '/hawser/v1/audit?namespace=some')).body as unknown as {
          items?: readonly { readonly name: string; readonly outcome: string; readonly verb: string }[];
        };
        return items.map(({ name, outcome, verb }) => `${name} ${verb} ${outcome}`).sort();
      })
      .toEqual([
        'broken apply failed',
        'good apply failed',
        'good create allowed',
        'last create allowed',
        'stale apply failed',
        'stale create allowed',
      ]);
  });

  it('may refer to each other in their order; a dry run writes nothing', async () => {
    expect(actions(await apply([route('refer', 'a', 'v1'), rule('refer', 'a')]))).toEqual(['refused', 'created']);
    expect(
      actions(await apply([rule('refer', 'a', ['v2']), route('refer', 'a', 'v1'), route('refer', 'a', 'v2')], { dryRun: true })),
    ).toEqual(['configured', 'refused', 'refused']);
    expect(actions(await apply([rule('refer', 'a', ['v2']), route('refer', 'b', 'v1')], { allowUnresolved: true, dryRun: true }))).toEqual([
      'configured',
      'created',
    ]);
    expect(actions(await apply([rule('refer', 'a', ['v2']), route('refer', 'a', 'v2')]))).toEqual(['configured', 'created']);
  });

  it('may be the same in requests at once: none waits for ever, none is written twice', async () => {
    const names = Array.from({ length: 40 }, (_, index) => `r-${index}`);
    const requests = Array.from({ length: 8 }, (_, client) => {
      const own = client % 2 === 0 ? names : names.toReversed();
      return apply(own.map((name) => rule('crowd', name, [`v${client}`])));
    });
    const results = (await Promise.all(requests)).flat();
    expect(results.filter(({ action }) => action === 'created')).toHaveLength(40);
    expect(results.filter(({ action }) => action === 'configured')).toHaveLength(280);
    const revisions = results.map(({ revision }) => revision).sort((a, b) => a - b);
    expect(revisions).toEqual(revisions.map((_, index) => (revisions[0] ?? 0) + index));
  });
});
