/** AuthorizationPolicy: which policies are for a workload, and what becomes of several. */
import { expect } from 'vitest';
import { ACCESS, authorization, judged, only } from './kit/access.ts';
import { behavioursOf } from './kit/behaviour.ts';
import { eventually } from './kit/edge.ts';
import { policy, type Rig, type RigCall } from './kit/rig.ts';

const SERVER = '127.81.123.21';
const behaviour = behavioursOf({ net: 123, ...ACCESS, clusters: ['east'], clients: ACCESS.clients.slice(0, 2) });

const [OWN, SHOP]: readonly [RigCall, RigCall] = [{ from: 'productpage' }, { from: 'cart' }];
const from = (namespace: string) => [{ from: [{ source: { namespaces: [namespace] } }] }];
const ALLOW_OWN = authorization({ action: 'ALLOW', rules: from('bookinfo') }, 'own');
const ALLOW_SHOP = authorization({ action: 'ALLOW', rules: from('shop') }, 'shop');
const DENY_SHOP = authorization({ action: 'DENY', rules: from('shop') }, 'no-shop');
const DENY_NOBODY = authorization({ action: 'DENY', rules: from('nobody') }, 'nobody');

const seen = (own: number, shop: number): [RigCall, number][] => [
  [OWN, own],
  [SHOP, shop],
];

async function stat(rig: Rig, name: string): Promise<number> {
  const line = (await rig.mesh.envoyAt(SERVER).admin('/stats')).split('\n').find((one) => one.startsWith(`${name}: `));
  return Number(line?.slice(name.length + 2) ?? 0);
}

behaviour('AZ-060', 'rules', 'without any policy everybody of the federation may call', async (rig) => {
  await judged(rig, [], seen(200, 200));
});

behaviour('AZ-061', 'rules', 'a policy without rules lets nobody in', async (rig) => {
  await judged(rig, [authorization({})], seen(403, 403));
});

behaviour('AZ-062', 'rules', 'an empty rule is every request', async (rig) => {
  await judged(rig, [authorization({ rules: [{}] })], seen(200, 200));
  await judged(rig, [authorization({ action: 'DENY', rules: [{}] })], seen(403, 403));
});

behaviour('AZ-063', 'action DENY', 'without rules it refuses nobody', async (rig) => {
  await judged(rig, [authorization({ action: 'DENY' }), ALLOW_OWN], seen(200, 403));
});

behaviour('AZ-064', 'action DENY', 'goes before what is allowed', async (rig) => {
  await judged(rig, [ALLOW_SHOP, ALLOW_OWN, DENY_SHOP], seen(200, 403));
});

behaviour('AZ-065', 'action DENY', 'alone it leaves everybody else in, and never opens what others close', async (rig) => {
  await judged(rig, [DENY_SHOP], seen(200, 403));
  await judged(rig, [DENY_NOBODY, ALLOW_SHOP], seen(403, 200));
  await judged(rig, [DENY_NOBODY, authorization({})], seen(403, 403));
});

behaviour('AZ-066', 'action ALLOW', 'one of several policies is enough', async (rig) => {
  await judged(rig, [ALLOW_OWN, ALLOW_SHOP], seen(200, 200));
  await judged(rig, [ALLOW_OWN, authorization({})], seen(200, 403));
});

behaviour('AZ-067', 'selector.matchLabels', 'is for the workloads with these labels', async (rig) => {
  const selecting = (app: string) => authorization({ selector: { matchLabels: { app } } });
  await judged(rig, [selecting('reviews')], seen(403, 403));
  await judged(rig, [selecting('ratings')], seen(200, 200));
});

behaviour('AZ-068', 'targetRefs.name', 'is for the workloads of the services', async (rig) => {
  const targeting = (name: string) => authorization({ targetRefs: [{ group: '', kind: 'Service', name }] });
  await judged(rig, [targeting('reviews')], seen(403, 403));
  await judged(rig, [targeting('ratings')], seen(200, 200));
});

behaviour('AZ-069', 'rules', 'policies of the mesh and of the namespace hold together; those of other namespaces do not', async (rig) => {
  const mesh = authorization({ action: 'DENY', rules: [{ to: [{ operation: { paths: ['/admin'] } }] }] }, 'mesh', 'hawser-system');
  await judged(rig, [mesh, ALLOW_OWN], [[{ path: '/admin' }, 403], ...seen(200, 403)]);
  await judged(rig, [authorization({}, 'elsewhere', 'shop')], seen(200, 200));
});

behaviour('AZ-070', 'action CUSTOM', 'is asked first; then DENY, then ALLOW', async (rig) => {
  // A decider that is not there refuses what its rules mean.
  const custom = authorization(
    { action: 'CUSTOM', provider: { name: 'nobody' }, rules: [{ to: [{ operation: { paths: ['/asked'] } }] }] },
    'asked',
  );
  await judged(
    rig,
    [custom, ALLOW_OWN],
    [
      [{ path: '/asked' }, 403],
      [{ path: '/' }, 200],
      [{ ...SHOP, path: '/' }, 403],
    ],
  );
});

behaviour('AZ-071', 'action AUDIT', 'refuses nobody; what matches is counted, policy by policy', async (rig) => {
  const counter = 'http.80.reviews.bookinfo.rbac.policy.bookinfo/seen[0].shadow_allowed';
  const audit = authorization({ action: 'AUDIT', rules: [{ to: [{ operation: { paths: ['/audited'] } }] }] }, 'seen');
  await judged(rig, [audit, ALLOW_OWN], seen(200, 403));
  const before = await stat(rig, counter);
  await rig.call({ path: '/audited' });
  await rig.call({ ...SHOP, path: '/audited' });
  await rig.call({ path: '/other' });
  await eventually(async () => expect(await stat(rig, counter)).toBe(before + 2));
});

behaviour('AZ-072', 'rules', 'a changed policy cuts no connection, and holds for the next request', async (rig) => {
  await judged(rig, [ALLOW_OWN], seen(200, 403));
  const [opened, closed] = ['http.80.reviews.bookinfo.downstream_cx_total', 'http.80.reviews.bookinfo.downstream_cx_destroy'];
  const before = [await stat(rig, opened), await stat(rig, closed)];
  await judged(rig, [ALLOW_SHOP], seen(403, 200));
  await judged(rig, [], seen(200, 200));
  await judged(rig, [DENY_SHOP, ALLOW_OWN], seen(200, 403));
  expect([await stat(rig, opened), await stat(rig, closed)]).toEqual(before);
});

behaviour('AZ-073', 'rules', 'who is refused is told 403, and nothing of the policy', async (rig) => {
  await judged(rig, [only('DENY', {})], seen(403, 403));
  const { body, headers } = await rig.call();
  expect(body).toBe('RBAC: access denied');
  expect(Object.values(headers).join()).not.toContain('bookinfo');
});

behaviour('AZ-074', 'rules', 'one that Envoy would take for another stays with its policy: names are told apart', async (rig) => {
  const rules = (path: string) => [{ to: [{ operation: { paths: [path] } }] }];
  const more = policy('AuthorizationPolicy', { rules: rules('/b') }, { name: 'access', namespace: 'hawser-system' });
  await judged(
    rig,
    [authorization({ rules: rules('/a') }), more],
    [
      [{ path: '/a' }, 200],
      [{ path: '/b' }, 200],
      [{ path: '/c' }, 403],
    ],
  );
});
