/** AuthorizationPolicy: connections that are not HTTP, and clients of an edge proxy. */
import type { Resource } from '@hawser/model/resource.ts';
import { expect } from 'vitest';
import { ACCESS, authorization, only } from './kit/access.ts';
import { behavioursOf } from './kit/behaviour.ts';
import { callTcp } from './kit/clients.ts';
import { type Edge, eventually, gateway, httpServer, INGRESS, site, startEdge } from './kit/edge.ts';
import type { Rig } from './kit/rig.ts';

const NET = 124;
const LISTENER = 'outbound_tcp|9000|reviews.bookinfo.svc.clusterset.local';
const CALLERS = ['productpage', 'cart', 'details'] as const;
let edge: Edge;

const behaviour = behavioursOf({ net: NET, drainsAtOnce: true, ...ACCESS }, async (rig) => {
  edge = await startEdge(rig, { address: `127.81.${NET}.40`, name: 'front' });
});

/** Whether the application hears a caller: it says again what it is told. Envoy judges a connection by its first byte. */
async function isAnswered(rig: Rig, client: string): Promise<boolean> {
  const at = await rig.listener(LISTENER, client);
  if (at === undefined) throw new Error(`${client} has no listener for the port`);
  return (await callTcp(at, 'hello')).includes('hello');
}

/** Makes these the only policies, and waits until the callers are answered, or not, as they shall be. */
async function connected(rig: Rig, policies: readonly Resource[], expected: readonly boolean[]): Promise<void> {
  await rig.policies(policies);
  await eventually(async () => expect(await Promise.all(CALLERS.map((client) => isAnswered(rig, client)))).toEqual(expected));
}

const allow = (rule: object) => only('ALLOW', rule);
const deny = (rule: object) => only('DENY', rule);
const from = (source: object) => ({ from: [{ source }] });

behaviour('AZ-080', 'rules.from.source.principals of TCP', 'who is refused is cut off with the first byte', async (rig) => {
  await connected(rig, [], [true, true, true]);
  await connected(rig, [allow(from({ principals: ['cluster.local/ns/bookinfo/*'] }))], [true, false, false]);
  await connected(rig, [allow(from({ principals: ['west.hawser/ns/bookinfo/sa/details'] }))], [false, false, true]);
});

behaviour('AZ-081', 'rules.from.source.namespaces of TCP', 'refuses by namespace in every trust domain', async (rig) => {
  await connected(rig, [deny(from({ namespaces: ['bookinfo'] }))], [false, true, false]);
});

behaviour(
  'AZ-082',
  'rules.to.operation.methods of TCP',
  'a rule that lets in by a field of HTTP never matches a connection',
  async (rig) => {
    const to = [{ operation: { methods: ['GET'] } }];
    await connected(rig, [allow({ to })], [false, false, false]);
    await connected(rig, [allow({ to }), authorization({ rules: [from({ namespaces: ['shop'] })] }, 'more')], [false, true, false]);
  },
);

behaviour('AZ-083', 'rules.to.operation.paths of TCP', 'a rule that refuses loses the fields of HTTP, and so refuses more', async (rig) => {
  await connected(rig, [deny({ ...from({ namespaces: ['shop'] }), to: [{ operation: { paths: ['/admin'] } }] })], [true, false, true]);
  await connected(rig, [deny({ when: [{ key: 'request.headers[x]', values: ['y'] }] })], [false, false, false]);
});

behaviour('AZ-084', 'rules.to.operation.ports of TCP', "the application's port", async (rig) => {
  await connected(rig, [allow({ to: [{ operation: { ports: ['9081'] } }] })], [true, true, true]);
  await connected(rig, [allow({ to: [{ operation: { notPorts: ['9081'] } }] })], [false, false, false]);
});

behaviour('AZ-085', 'rules.from.source.ipBlocks of TCP', 'the address at the other end', async (rig) => {
  await connected(rig, [allow(from({ ipBlocks: ['127.0.0.0/8'] }))], [true, true, true]);
  await connected(rig, [deny(from({ ipBlocks: ['127.0.0.0/8'] }))], [false, false, false]);
});

const SITE = [gateway('front', [httpServer(['*'])]), site(['site.example'], ['ingress/front'])];

/** A policy for the edge proxy alone. */
function atEdge(spec: object): Resource {
  return authorization({ selector: { matchLabels: { istio: 'front' } }, ...spec }, 'front', INGRESS);
}

behaviour('AZ-086', 'selector.matchLabels of an edge proxy', 'clients of the edge are judged there, by what they ask for', async (rig) => {
  await rig.policies([...SITE, atEdge({ rules: [{ to: [{ operation: { hosts: ['site.example'], paths: ['/open*'] } }] }] })]);
  await edge.expectCall(8080, { host: 'site.example', path: '/open' }, { status: 200 });
  await edge.expectCall(8080, { host: 'site.example', path: '/closed' }, { status: 403 });
});

behaviour('AZ-087', 'rules.to.operation.ports of an edge proxy', "the listener's port; addresses are those of clients", async (rig) => {
  const rules = (ports: string[], more: object = {}) => [{ to: [{ operation: { ports } }], ...more }];
  await rig.policies([...SITE, atEdge({ action: 'DENY', rules: rules(['8080']) })]);
  await edge.expectCall(8080, { host: 'site.example' }, { status: 403 });
  await rig.policies([...SITE, atEdge({ action: 'DENY', rules: rules(['9080']) })]);
  await edge.expectCall(8080, { host: 'site.example' }, { status: 200 });
  await rig.policies([...SITE, atEdge({ rules: rules(['8080'], from({ remoteIpBlocks: ['192.0.2.0/24'] })) })]);
  // What a client says of its own address is not believed.
  await edge.expectCall(8080, { host: 'site.example', headers: { 'x-forwarded-for': '192.0.2.7' } }, { status: 403 });
});

behaviour('AZ-088', 'rules.from.source.principals behind an edge proxy', 'a workload may let in the edge alone', async (rig) => {
  await rig.policies([...SITE, allow(from({ principals: ['cluster.local/ns/ingress/sa/front'] }))]);
  await edge.expectCall(8080, { host: 'site.example' }, { status: 200 });
  await eventually(async () => expect((await rig.call({ from: 'productpage' })).status).toBe(403));
});
