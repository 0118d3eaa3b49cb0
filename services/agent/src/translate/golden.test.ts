/** Every case of `testdata/in` becomes its golden of `testdata/out`, and a real Envoy accepts it. */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { JsonObject } from '@bufbuild/protobuf';
import { envoyBinary } from '@hawser/runtime/binaries.ts';
import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { createTrustDomain } from '../../../../test/datapath/kit/pki.ts';
import {
  type GoldenCase,
  jsonOf,
  names,
  proxiesOf,
  readCase,
  resourcesAfter,
  rootOf,
  TESTDATA,
  worldOf,
} from '../../../../test/kit/golden-case.ts';
import { mergedBootstrap } from '../../../../test/kit/merged-bootstrap.ts';
import { staticBootstrap } from '../../../../test/kit/static-bootstrap.ts';
import { type Change, ownLayer, type XdsResource } from '../snapshot/resource.ts';
import { SnapshotStore } from '../snapshot/snapshot-store.ts';
import type { ProxyRef } from '../state/world.ts';
import { createTranslator } from './translator.ts';

const TYPES = ['CDS', 'EDS', 'LDS', 'RDS', 'SDS'] as const;
const isUpdate = process.env['HAWSER_UPDATE_GOLDEN'] === '1';

/** Proxies that a case does not name get their shared layers checked all the same. */
const EVERY_ROLE: readonly ProxyRef[] = [
  { role: 'sidecar', address: '10.0.1.99' },
  { role: 'gateway', address: '10.0.1.1' },
];

function compile(input: GoldenCase, proxies: readonly ProxyRef[]): readonly Change[] {
  const translator = createTranslator();
  for (const proxy of proxies) translator.attach(proxy);
  return translator.update(worldOf(input), 'all');
}

/** Everything that a proxy sees, what is nearest to it in the place of what it hides. */
function seenBy(input: GoldenCase, proxy: ProxyRef): XdsResource[] {
  const store = new SnapshotStore();
  store.apply(compile(input, [proxy]));
  const layers = [...store.layersOf(ownLayer(proxy))].reverse();
  const all = layers.flatMap((layer) => TYPES.flatMap((type) => [...store.all(layer, type).values()]));
  return [...new Map(all.map((resource) => [`${resource.type} ${resource.name}`, resource])).values()];
}

/** The resources as the golden shows them: roots by name, because they are long. */
function shown(input: GoldenCase, name: string): string {
  const wanted = input.show;
  const changes = compile(input, proxiesOf(input));
  const resources = [...resourcesAfter(changes)].filter(([, resource]) => wanted === undefined || wanted.includes(resource.type));
  const reads = changes.flatMap((change) => ('reads' in change ? [[`${change.layer} reads`, [...change.reads]] as const] : []));
  const document = Object.fromEntries([
    ...reads,
    ...resources.map(([id, resource]) => [id, { version: resource.version, resource: jsonOf(resource) }] as const),
  ]);
  const text = JSON.stringify(document);
  const short = names('roots').reduce(
    (all, root) => all.replaceAll(JSON.stringify(rootOf(root)).slice(1, -1), `(roots/${root}.pem)`),
    text,
  );
  const reviver = MEASURED.test(name) ? undefined : OBSERVED.test(name) ? uncounted : unobserved;
  return stringify(JSON.parse(short, reviver), { lineWidth: 160, aliasDuplicateObjects: false });
}

/** Cases about observers show them. */
const OBSERVED = /^(telemetry|authorization-policy|request-authentication|wasm-plugin)-/;
const OBSERVERS = /^(envoy[.]filters[.](http|network)[.](set_filter_state|header_mutation|lua)|hawser[.]access[.]\w+)$/;

/** Cases about metrics show those of gRPC too, which every listener for HTTP has. */
const MEASURED = /^telemetry-(metrics|custom-metric|grpc-messages)$/;

function uncounted(key: string, value: unknown): unknown {
  if (key === 'access_log') return (value as { filter?: object }[]).filter(({ filter = {} }) => !('metadata_filter' in filter));
  return key === 'http_filters' ? (value as { name?: string }[]).filter(({ name }) => name !== 'envoy.filters.http.lua') : value;
}

/** What every listener has for logs and metrics is long, and the same everywhere. */
function unobserved(key: string, value: unknown): unknown {
  if (key === 'access_log' || key === 'access_log_options' || key === 'preserve_external_request_id') return undefined;
  if (key !== 'http_filters' && key !== 'filters') return value;
  return (value as { name?: string }[]).filter(({ name = '' }) => !OBSERVERS.test(name));
}

const identity = createTrustDomain('us-east.hawser').then((domain) => domain.issue('spiffe://us-east.hawser/ns/a/sa/b'));

/** What each proxy of a case would be given. */
async function bootstrapsOf(name: string): Promise<JsonObject[]> {
  const input = readCase(name);
  const leaf = await identity;
  return [...proxiesOf(input), ...EVERY_ROLE].map((proxy) => staticBootstrap(seenBy(input, proxy), proxy, leaf));
}

/** Rejects with what Envoy says against it. */
async function validate(bootstrap: JsonObject): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'hawser-golden-'));
  const file = join(folder, 'bootstrap.json');
  writeFileSync(file, JSON.stringify(bootstrap));
  try {
    await promisify(execFile)(envoyBinary(), ['--mode', 'validate', '-c', file, '--log-level', 'error']);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A start of Envoy takes longer than reading a case: it is given so many at once. */
const AT_ONCE = 30;
const groups = new Map<number, Promise<boolean>>();

/** Whether Envoy accepts the case together with its neighbours. */
function isAcceptedAmongOthers(name: string): Promise<boolean> {
  const cases = names('in');
  const group = Math.floor(cases.indexOf(name) / AT_ONCE);
  const known = groups.get(group);
  if (known !== undefined) return known;
  const answer = (async () => {
    const all = await Promise.all(cases.slice(group * AT_ONCE, (group + 1) * AT_ONCE).map(bootstrapsOf));
    const different = new Map(all.flat().map((bootstrap) => [JSON.stringify(bootstrap), bootstrap]));
    return validate(mergedBootstrap([...different.values()])).then(
      () => true,
      () => false,
    );
  })();
  groups.set(group, answer);
  return answer;
}

describe.each(names('in'))('case %s', (name) => {
  test('becomes its golden', () => {
    const file = join(TESTDATA, 'out', `${name}.yaml`);
    const text = shown(readCase(name), name);
    if (isUpdate) writeFileSync(file, text);
    expect(existsSync(file), `${file} is missing: npm run golden writes it`).toBe(true);
    expect(text).toBe(readFileSync(file, 'utf8'));
  });

  test('is accepted by Envoy', async () => {
    if (await isAcceptedAmongOthers(name)) return;
    for (const bootstrap of await bootstrapsOf(name)) await validate(bootstrap);
  });
});

test('no golden is left over from a case that is gone', () => {
  expect(names('out').filter((name) => !names('in').includes(name))).toEqual([]);
});
