/** Who trusts whom, in what proxies are given: bundles and identities of federated trust domains alone, by SDS and EDS alone. */
import { fromBinary } from '@bufbuild/protobuf';
import { ClusterLoadAssignmentSchema } from '@hawser/xds/generated/envoy/config/endpoint/v3/endpoint_pb.ts';
import { SecretSchema } from '@hawser/xds/generated/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts';
import { SPIFFECertValidatorConfigSchema } from '@hawser/xds/generated/envoy/extensions/transport_sockets/tls/v3/tls_spiffe_validator_config_pb.ts';
import { describe, expect, test } from 'vitest';
import { authorityCertificate } from '../../../../test/kit/authority-certificates.ts';
import { readCase, resourcesAfter, worldOf } from '../../../../test/kit/golden-case.ts';
import { type Change, keysOf, type XdsResource } from '../snapshot/resource.ts';
import type { World } from '../state/world.ts';
import { createTranslator } from './translator.ts';

type State = ReadonlyMap<string, XdsResource>;

const world = worldOf(readCase('federated'));
const HOST = 'reviews.bookinfo.svc.clusterset.local';

/** The world with what these clusters' trust domains believe. */
function believing(federation: Readonly<Record<string, readonly string[]>>, more: Partial<World> = {}): World {
  const clusters = [...world.clusters].map(([name, peer]) => {
    const federatesWith = federation[name];
    return [name, federatesWith === undefined ? peer : { ...peer, federatesWith }] as const;
  });
  return { ...world, clusters: new Map(clusters), ...more };
}

function trustOf(state: State, name: string): { readonly domains: readonly string[]; readonly identities: readonly string[] } {
  const secret = fromBinary(SecretSchema, state.get(`sidecar SDS ${name}`)?.bytes ?? new Uint8Array());
  if (secret.type.case !== 'validationContext') throw new Error(`${name} is no trust`);
  const { customValidatorConfig, matchTypedSubjectAltNames } = secret.type.value;
  const { trustDomains } = fromBinary(SPIFFECertValidatorConfigSchema, customValidatorConfig?.typedConfig?.value ?? new Uint8Array());
  const identities = matchTypedSubjectAltNames.map(({ matcher }) => String(matcher?.matchPattern.value));
  return { domains: trustDomains.map(({ name: domain }) => domain), identities };
}

function regionsOf(state: State): string[] {
  const bytes = state.get(`sidecar EDS outbound|80||${HOST}`)?.bytes ?? new Uint8Array();
  return fromBinary(ClusterLoadAssignmentSchema, bytes).endpoints.map(({ locality }) => locality?.region ?? '');
}

const after = (to: World): State => resourcesAfter(createTranslator().update(to, 'all'));
const typesOf = (changes: readonly Change[]): string[] =>
  [...new Set(changes.flatMap((change) => keysOf(change).map(({ type }) => type)))].sort();

describe('who trusts whom', () => {
  test('everybody, where nothing is said', () => {
    const state = after(world);
    expect(trustOf(state, 'trust|inbound').domains).toEqual(['eu-west.hawser', 'us-east.hawser', 'us-west.hawser']);
    expect(regionsOf(state)).toContain('us-west');
  });

  test('callers are believed by the word of their server’s trust domain alone', () => {
    const state = after(believing({ 'us-east': ['eu-west.hawser'], 'us-west': ['us-east.hawser'] }));
    expect(trustOf(state, 'trust|inbound')).toEqual({
      domains: ['eu-west.hawser', 'us-east.hawser'],
      identities: ['spiffe://eu-west.hawser/', 'spiffe://us-east.hawser/'],
    });
  });

  test.each([
    ['the own trust domain does not believe theirs', { 'us-east': ['eu-west.hawser'] }],
    ['theirs does not believe the own one', { 'us-west': ['eu-west.hawser'] }],
  ])('servers are not called where %s', (_, federation) => {
    const state = after(believing(federation));
    expect(trustOf(state, 'trust|bookinfo/reviews').domains).not.toContain('us-west.hawser');
    expect(trustOf(state, 'trust|gateway|us-west')).toEqual({
      domains: ['us-east.hawser'],
      identities: ['spiffe://us-east.hawser/ns/hawser-system/sa/nobody'],
    });
    expect(regionsOf(state)).not.toContain('us-west');
    expect(regionsOf(state).length).toBeGreaterThan(0);
  });

  test.each([
    ['narrower', world, believing({ 'us-east': [] })],
    ['wider', believing({ 'us-east': [] }), world],
    ['another', believing({ 'us-east': ['us-west.hawser'] }), believing({ 'us-east': ['eu-west.hawser'] })],
  ])('a %s federation is pushed by SDS and EDS alone', (_, before, now) => {
    const translator = createTranslator();
    for (const proxy of readCase('federated').proxies) {
      const [role = '', address = ''] = proxy.split(':');
      translator.attach({ role: role as 'sidecar', address });
    }
    const first = resourcesAfter(translator.update(before, 'all'));
    const changes = translator.update(now, 'all');
    expect(typesOf(changes)).toEqual(['EDS', 'SDS']);
    // What changes lead to is what a start would have given.
    const fresh = after(now);
    const reached = resourcesAfter(changes, first);
    for (const [key, resource] of fresh) expect(reached.get(key)?.bytes, key).toEqual(resource.bytes);
  });
});

describe('an external trust domain', () => {
  test('calls us where ours believes it, each by its own bundle', async () => {
    const external = [{ name: 'out.test', trustBundle: [await authorityCertificate('out')] }];
    expect(trustOf(after({ ...world, external }), 'trust|inbound').domains).toContain('out.test');
    const shut = after(believing({ 'us-east': ['us-west.hawser'] }, { external }));
    expect(trustOf(shut, 'trust|inbound').domains).not.toContain('out.test');
    const named = after(believing({ 'us-east': ['out.test'] }, { external }));
    expect(trustOf(named, 'trust|inbound').identities).toEqual(['spiffe://out.test/', 'spiffe://us-east.hawser/']);
  });

  test('with no usable certificate is nobody, and costs the others nothing', () => {
    const external = [
      { name: 'empty.test', trustBundle: [] },
      { name: 'broken.test', trustBundle: ['nonsense'] },
    ];
    expect(trustOf(after({ ...world, external }), 'trust|inbound').domains).toEqual(['eu-west.hawser', 'us-east.hawser', 'us-west.hawser']);
  });
});

describe('trust that ends while connections are open', () => {
  const translatorWith = () => {
    const translator = createTranslator();
    for (const proxy of readCase('federated').proxies) {
      const [role = '', address = ''] = proxy.split(':');
      translator.attach({ role: role as 'sidecar', address });
    }
    return translator;
  };
  const severed = (value: string): World => ({
    ...world,
    clusters: new Map([...world.clusters].map(([name, peer]) => [name, name === 'us-west' ? { ...peer, severed: value } : peer])),
  });

  test('lapsed: routes of servers refuse whom TLS refuses from now on, and nothing else of HTTP changes', () => {
    const translator = translatorWith();
    const before = resourcesAfter(translator.update(world, 'all'));
    const changes = translator.update({ ...world, lapsed: { domains: ['gone.test'], clusters: [] } }, 'all');
    const written = changes.flatMap(keysOf).filter(({ type }) => type !== 'SDS');
    expect(written.length).toBeGreaterThan(0);
    for (const { type, name } of written) expect(`${type} ${name}`).toMatch(/^RDS inbound\|/);
    const after = resourcesAfter(changes, before);
    for (const { name } of written) {
      const [key] = [...after.keys()].filter((one) => one.endsWith(` RDS ${name}`));
      expect(Buffer.from(after.get(key ?? '')?.bytes ?? []).toString('latin1')).toContain('spiffe://gone.test/');
    }
    const back = resourcesAfter(translator.update(world, 'all'), after);
    for (const [key, resource] of before) expect(back.get(key)?.bytes, key).toEqual(resource.bytes);
  });

  test('an emergency makes the chains of inbound listeners anew, once', () => {
    const translator = translatorWith();
    translator.update(world, 'all');
    const changes = translator.update(severed('first'), 'all');
    expect(typesOf(changes)).toEqual(['LDS']);
    expect(changes.flatMap(keysOf).every(({ name }) => name === 'inbound')).toBe(true);
    expect(translator.update(severed('first'), 'all')).toEqual([]);
    expect(typesOf(translator.update(severed('second'), 'all'))).toEqual(['LDS']);
    // So does a cluster that leaves others of its trust domain behind: its callers bear the same name as theirs.
    expect(typesOf(translator.update({ ...severed('second'), lapsed: { domains: [], clusters: ['left 1'] } }, 'all'))).toEqual(['LDS']);
  });
});
