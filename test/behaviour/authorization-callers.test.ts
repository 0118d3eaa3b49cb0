/** AuthorizationPolicy: who calls, of the own trust domain and of another one, whose calls come through a tunnel. */
import { ACCESS, judged, only } from './kit/access.ts';
import { behavioursOf } from './kit/behaviour.ts';
import type { RigCall } from './kit/rig.ts';

const behaviour = behavioursOf({ net: 120, ...ACCESS, aliases: { east: ['old.example', 'west.hawser'] } });

/** bookinfo/productpage of east; shop/cart of east; bookinfo/details of west, through both gateways. */
const [OWN, SHOP, WEST]: readonly RigCall[] = [{ from: 'productpage' }, { from: 'cart' }, { from: 'details' }];
const allow = (source: object) => only('ALLOW', { from: [{ source }] });
const deny = (source: object) => only('DENY', { from: [{ source }] });

/** Statuses of the three callers. */
const seen = (own: number, shop: number, west: number): [RigCall, number][] => [
  [OWN ?? {}, own],
  [SHOP ?? {}, shop],
  [WEST ?? {}, west],
];

behaviour('AZ-001', 'rules.from.source.principals', 'cluster.local is the own trust domain of the server', async (rig) => {
  await judged(rig, [allow({ principals: ['cluster.local/ns/bookinfo/sa/productpage'] })], seen(200, 403, 403));
  await judged(rig, [allow({ principals: ['cluster.local/ns/bookinfo/sa/details'] })], seen(403, 403, 403));
});

behaviour('AZ-002', 'rules.from.source.principals', 'the whole name of another trust domain, through the tunnel', async (rig) => {
  await judged(rig, [allow({ principals: ['west.hawser/ns/bookinfo/sa/details'] })], seen(403, 403, 200));
  await judged(rig, [allow({ principals: ['spiffe://east.hawser/ns/shop/sa/cart'] })], seen(403, 200, 403));
});

behaviour('AZ-003', 'rules.from.source.principals', 'a prefix: everybody of a trust domain, or of a namespace', async (rig) => {
  await judged(rig, [allow({ principals: ['west.hawser/*'] })], seen(403, 403, 200));
  await judged(rig, [allow({ principals: ['cluster.local/ns/shop/*'] })], seen(403, 200, 403));
});

behaviour('AZ-004', 'rules.from.source.principals', 'a suffix: an account of any trust domain', async (rig) => {
  await judged(rig, [allow({ principals: ['*/ns/bookinfo/sa/details'] })], seen(403, 403, 200));
});

behaviour('AZ-005', 'rules.from.source.principals', 'a star alone is anybody with an identity', async (rig) => {
  await judged(rig, [allow({ principals: ['*'] })], seen(200, 200, 200));
  await judged(rig, [deny({ principals: ['*'] })], seen(403, 403, 403));
});

behaviour('AZ-006', 'rules.from.source.notPrincipals', 'everybody but these is let in, or is refused', async (rig) => {
  await judged(rig, [allow({ notPrincipals: ['cluster.local/ns/shop/sa/cart'] })], seen(200, 403, 200));
  await judged(rig, [deny({ notPrincipals: ['cluster.local/ns/shop/sa/cart'] })], seen(403, 200, 403));
});

behaviour('AZ-007', 'rules.from.source.principals', 'what is refused by cluster.local is refused in every trust domain', async (rig) => {
  await judged(rig, [deny({ principals: ['cluster.local/ns/bookinfo/sa/details'] })], seen(200, 200, 403));
  await judged(rig, [deny({ principals: ['east.hawser/ns/bookinfo/sa/details'] })], seen(200, 200, 200));
});

behaviour(
  'AZ-008',
  'rules.from.source.principals',
  'an alias is the own trust domain; one that another bears is that of the other',
  async (rig) => {
    await judged(rig, [allow({ principals: ['old.example/ns/bookinfo/sa/productpage'] })], seen(200, 403, 403));
    await judged(rig, [allow({ principals: ['west.hawser/ns/bookinfo/sa/productpage'] })], seen(403, 403, 403));
    await judged(rig, [allow({ principals: ['old.example/ns/bookinfo/*'] })], seen(200, 403, 403));
  },
);

behaviour('AZ-009', 'rules.from.source.namespaces', 'lets in the namespace of the own trust domain, not that of another', async (rig) => {
  await judged(rig, [allow({ namespaces: ['bookinfo'] })], seen(200, 403, 403));
  await judged(rig, [allow({ namespaces: ['sh*', '*none'] })], seen(403, 200, 403));
});

behaviour('AZ-010', 'rules.from.source.namespaces', 'refuses the namespace in every trust domain', async (rig) => {
  await judged(rig, [deny({ namespaces: ['bookinfo'] })], seen(403, 200, 403));
});

behaviour('AZ-011', 'rules.from.source.notNamespaces', 'lets in all but the namespace, whatever the trust domain', async (rig) => {
  await judged(rig, [allow({ notNamespaces: ['bookinfo'] })], seen(403, 200, 403));
});

behaviour('AZ-012', 'rules.from.source.notNamespaces', 'refuses all but the namespace of the own trust domain', async (rig) => {
  await judged(rig, [deny({ notNamespaces: ['bookinfo'] })], seen(200, 403, 403));
});

behaviour('AZ-013', 'rules.from.source.serviceAccounts', 'an account with its namespace, of the own trust domain', async (rig) => {
  await judged(rig, [allow({ serviceAccounts: ['shop/cart'] })], seen(403, 200, 403));
  await judged(rig, [allow({ serviceAccounts: ['bookinfo/details'] })], seen(403, 403, 403));
});

behaviour('AZ-014', 'rules.from.source.serviceAccounts', "without a namespace it is of the policy's", async (rig) => {
  await judged(rig, [allow({ serviceAccounts: ['productpage', 'cart'] })], seen(200, 403, 403));
});

behaviour('AZ-015', 'rules.from.source.notServiceAccounts', 'all but the account', async (rig) => {
  await judged(rig, [allow({ notServiceAccounts: ['bookinfo/details'] })], seen(200, 200, 403));
  await judged(rig, [deny({ notServiceAccounts: ['shop/cart'] })], seen(403, 200, 403));
});

behaviour('AZ-016', 'rules.from', 'any of the sources is enough; of one source all fields must hold', async (rig) => {
  const from = [{ source: { namespaces: ['shop'] } }, { source: { principals: ['west.hawser/*'] } }];
  await judged(rig, [only('ALLOW', { from })], seen(403, 200, 200));
  await judged(rig, [allow({ namespaces: ['bookinfo'], notPrincipals: ['*/sa/productpage'] })], seen(403, 403, 403));
});

behaviour('AZ-017', 'rules.when.key: source.principal', 'the same as principals', async (rig) => {
  const when = (key: string, more: object) => only('ALLOW', { when: [{ key, ...more }] });
  await judged(rig, [when('source.principal', { values: ['west.hawser/*'] })], seen(403, 403, 200));
  await judged(rig, [when('source.principal', { notValues: ['west.hawser/*'] })], seen(200, 200, 403));
});

behaviour('AZ-018', 'rules.when.key: source.namespace', 'the same as namespaces', async (rig) => {
  await judged(rig, [only('ALLOW', { when: [{ key: 'source.namespace', values: ['bookinfo'] }] })], seen(200, 403, 403));
});

behaviour('AZ-019', 'rules.when.key: source.serviceAccount', 'the same as serviceAccounts', async (rig) => {
  await judged(rig, [only('ALLOW', { when: [{ key: 'source.serviceAccount', values: ['shop/cart'] }] })], seen(403, 200, 403));
});

behaviour('AZ-020', 'rules.from.source.ipBlocks', 'the address at the other end of the connection', async (rig) => {
  await judged(rig, [allow({ ipBlocks: ['127.0.0.0/8'] })], seen(200, 200, 200));
  await judged(rig, [allow({ ipBlocks: ['10.0.0.0/8', '192.0.2.1'] })], seen(403, 403, 403));
  await judged(rig, [only('DENY', { when: [{ key: 'source.ip', values: ['127.0.0.0/8'] }] })], seen(403, 403, 403));
});

behaviour('AZ-021', 'rules.from.source.notIpBlocks', 'all addresses but these', async (rig) => {
  await judged(rig, [allow({ notIpBlocks: ['127.0.0.0/8'] })], seen(403, 403, 403));
  await judged(rig, [allow({ notIpBlocks: ['10.0.0.0/8'] })], seen(200, 200, 200));
});

behaviour('AZ-022', 'rules.from.source.remoteIpBlocks', 'the client that x-forwarded-for names', async (rig) => {
  const of = (address: string): RigCall => ({ headers: { 'x-forwarded-for': address } });
  await judged(
    rig,
    [allow({ remoteIpBlocks: ['192.0.2.0/24'] })],
    [
      [of('192.0.2.7'), 200],
      [of('198.51.100.7'), 403],
    ],
  );
  await judged(
    rig,
    [allow({ notRemoteIpBlocks: ['192.0.2.0/24'] })],
    [
      [of('192.0.2.7'), 403],
      [of('198.51.100.7'), 200],
    ],
  );
  await judged(
    rig,
    [only('DENY', { when: [{ key: 'remote.ip', values: ['192.0.2.7'] }] })],
    [
      [of('192.0.2.7'), 403],
      [of('192.0.2.8'), 200],
    ],
  );
});
