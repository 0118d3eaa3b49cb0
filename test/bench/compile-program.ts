/**
 * One agent's way from policies to bytes, in a process of its own: control loop, translator, served state, and the delta stream
 * of one proxy whose responses are encoded. Prints one JSON object: `{"cold": ms, "changes": [ms, …]}`.
 */
import { ControlLoop } from '@hawser/agent/control-loop.ts';
import { keysOf, ownLayer } from '@hawser/agent/snapshot/resource.ts';
import { SnapshotStore } from '@hawser/agent/snapshot/snapshot-store.ts';
import { Federation } from '@hawser/agent/state/federation.ts';
import { PolicyProbation } from '@hawser/agent/state/policy-probation.ts';
import { createTranslator } from '@hawser/agent/translate/translator.ts';
import { DeltaStream } from '@hawser/agent/xds/delta-stream.ts';
import { bytesOf } from '@hawser/agent/xds/framed-messages.ts';
import { LayerSets } from '@hawser/agent/xds/layer-sets.ts';
import { proxyView } from '@hawser/agent/xds/resource-view.ts';
import { encodeResponse } from '@hawser/agent/xds/response-frame.ts';
import type { EndpointShard } from '@hawser/model/endpoint-shard.ts';
import { trustDomainOf } from '@hawser/model/fleet.ts';
import { type Resource, resourceKey } from '@hawser/model/resource.ts';
import { rootOf } from '../kit/golden-case.ts';

const [services, changes] = process.argv.slice(2).map(Number) as [number, number];
const NAMESPACES = 20;
const CLUSTER = { name: 'us-east', region: 'us-east', zone: '', trustDomain: trustDomainOf('us-east') };
const PROXY = { role: 'sidecar', address: '10.200.0.1', name: 'caller', namespace: 'ns-0', labels: {} } as const;

function hostOf(index: number): { readonly namespace: string; readonly service: string } {
  return { namespace: `ns-${index % NAMESPACES}`, service: `svc-${index}` };
}

function shardOf(index: number): EndpointShard {
  const endpoints = ['v1', 'v2'].map((version, at) => ({
    ...{ address: `10.${at}.${index >> 8}.${index & 255}`, targetPorts: { '80': 9080 }, labels: { version } },
    ...{ serviceAccount: 'default', health: 'HEALTHY' as const },
  }));
  return { cluster: CLUSTER.name, ...hostOf(index), exported: false, ports: [{ port: 80, protocol: 'http' }], endpoints };
}

function virtualService(index: number, v2: number): Resource {
  const { namespace, service } = hostOf(index);
  const to = (subset: string, weight: number) => ({ destination: { host: service, subset }, weight });
  const http = [
    { match: [{ headers: { 'end-user': { exact: 'tester' } } }], route: [to('v2', 100)] },
    { route: [to('v1', 100 - v2), to('v2', v2)], timeout: '5s', retries: { attempts: 2 } },
  ];
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'VirtualService',
    metadata: { namespace, name: service },
    spec: { hosts: [service], http },
  };
}

function destinationRule(index: number): Resource {
  const { namespace, service } = hostOf(index);
  const subsets = ['v1', 'v2'].map((version) => ({ name: version, labels: { version } }));
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'DestinationRule',
    metadata: { namespace, name: service },
    spec: { host: service, subsets },
  };
}

/** The policies as the feed hands them over: by key, those that did not change the same objects. */
const policies = new Map<string, Resource>();
function set(policy: Resource): void {
  policies.set(resourceKey(policy.kind, policy.metadata.namespace, policy.metadata.name), policy);
}
for (let index = 0; index < services; index += 1) {
  set(virtualService(index, 10));
  set(destinationRule(index));
}
const shards = new Map<string, EndpointShard>();
for (let index = 0; index < services; index += 1) shards.set(`${hostOf(index).namespace}/${hostOf(index).service}`, shardOf(index));

const roster = {
  members: [{ ...CLUSTER, epoch: 1, signingKey: 'none', provider: '', network: CLUSTER.name, labels: {} }],
};
const facts = { trustBundle: [rootOf('us-east')], gateways: [] };

const began = performance.now();
const federation = new Federation(CLUSTER);
federation.setFacts(CLUSTER.name, facts);
const store = new SnapshotStore();
const sets = new LayerSets(store);
const problems: string[] = [];
const loop = new ControlLoop({
  ...{ federation, store, translator: createTranslator(), probation: new PolicyProbation() },
  ...{ onRevision: () => undefined, onRoster: () => undefined, onChange: () => undefined },
  onProblems: (all) => problems.push(...all.map(({ message }) => message)),
});
loop.fulfil('fleet');
loop.setOwnShards(shards);
loop.configure({ roster, policies: new Map(policies), moment: { epoch: 1, revision: 1 } });
loop.run();
loop.attach(PROXY);
const view = proxyView({ store, sets, own: ownLayer(PROXY), identity: () => undefined });
const stream = new DeltaStream(view, { silent: false });
store.subscribe(({ changes: all }) => {
  for (const { type, name } of all.flatMap(keysOf)) stream.changed(type, name);
});

/** Writes and acknowledges until the proxy has everything; returns the bytes. */
function drain(): number {
  let bytes = 0;
  for (;;) {
    const response = stream.next(performance.now());
    if (response === undefined) return bytes;
    bytes += bytesOf(encodeResponse(response));
    stream.request(response.type, { subscribe: [], unsubscribe: [], initialVersions: new Map(), nonce: response.nonce, error: undefined });
  }
}

for (const type of ['CDS', 'EDS', 'LDS', 'RDS', 'SDS'] as const)
  stream.request(type, { subscribe: ['*'], unsubscribe: [], initialVersions: new Map(), nonce: '', error: undefined });
const coldBytes = drain();
const cold = performance.now() - began;

const times: number[] = [];
const changedBytes: number[] = [];
for (let change = 0; change < changes; change += 1) {
  const next = virtualService((change * 37) % services, 11 + (change % 80));
  const at = performance.now();
  set(next);
  loop.configure({ roster, policies: new Map(policies), moment: { epoch: 1, revision: change + 2 } });
  loop.run();
  changedBytes.push(drain());
  times.push(performance.now() - at);
  // What the loop scheduled for itself runs between changes, as it would.
  await new Promise((resolve) => setImmediate(resolve));
}
if (problems.length > 0) throw new Error(problems[0]);
if (changedBytes.some((bytes) => bytes === 0)) throw new Error('a change reached no proxy');
console.log(JSON.stringify({ cold, coldBytes, changes: times, changedBytes: changedBytes.at(-1) }));
