import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { ExportedPort, ExportFacts } from './export-facts.ts';
import { bySeniority, type ClusterExport, mergedExports } from './merge-exports.ts';

const optional = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined });
const portArb: fc.Arbitrary<ExportedPort> = fc
  .record({
    name: optional(fc.constantFrom('http', 'grpc', 'dns')),
    protocol: fc.constantFrom('TCP' as const, 'UDP' as const, 'SCTP' as const),
    appProtocol: optional(fc.constantFrom('http', 'kubernetes.io/h2c')),
    port: fc.integer({ min: 1, max: 4 }),
  })
  .map((made) => defined<ExportedPort>(made));
/** Ports that one Service may have: of no name twice, nor of a number and protocol. */
const portsArb = fc
  .uniqueArray(portArb, { selector: ({ name }) => name ?? '', maxLength: 4 })
  .map((ports) => [...new Map(ports.map((port) => [`${port.port}/${port.protocol}`, port])).values()]);
const mapArb = optional(fc.dictionary(fc.constantFrom('team', 'tier'), fc.constantFrom('a', 'b'), { maxKeys: 2 }));
const factsArb: fc.Arbitrary<ExportFacts> = fc
  .record({
    createdAt: optional(fc.integer({ min: 0, max: 3 }).map((day) => `2026-01-0${day + 1}T00:00:00Z`)),
    type: fc.constantFrom('ClusterSetIP' as const, 'Headless' as const),
    ports: portsArb,
    ipFamilies: optional(fc.constantFrom(['IPv4' as const], ['IPv6' as const], ['IPv4' as const, 'IPv6' as const])),
    sessionAffinity: optional(fc.constant('ClientIP' as const)),
    sessionAffinityConfig: optional(fc.record({ clientIP: fc.record({ timeoutSeconds: fc.constantFrom(60, 10_800) }) })),
    internalTrafficPolicy: optional(fc.constant('Local' as const)),
    trafficDistribution: optional(fc.constantFrom('PreferClose', 'PreferSameZone')),
    labels: mapArb,
    annotations: mapArb,
  })
  .map((made) => defined<ExportFacts>(made));
const exportsArb = fc
  .uniqueArray(fc.constantFrom('east', 'west', 'north', 'south'), { minLength: 1, maxLength: 4 })
  .chain((clusters) => fc.tuple(...clusters.map((cluster) => fc.record({ cluster: fc.constant(cluster), facts: factsArb }))));

/** Without what is undefined. */
function defined<R>(value: object): R {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as R;
}

const merged = (exports: readonly ClusterExport[]) => {
  const made = mergedExports(exports);
  if (made === undefined) throw new Error('there are exports');
  return made;
};
const oldest = (exports: readonly ClusterExport[]): ClusterExport => [...exports].sort(bySeniority)[0] as ClusterExport;

it('is the same whatever order exports come in', () => {
  const shuffled = exportsArb.chain((exports) =>
    fc.tuple(fc.constant(exports), fc.shuffledSubarray(exports, { minLength: exports.length })),
  );
  fc.assert(
    fc.property(shuffled, ([exports, other]) => {
      expect(merged(other)).toEqual(merged(exports));
    }),
  );
});

it('exposes the union of ports: none that nobody has, no name and no number twice, all of the oldest, and each of others that collides with none', () => {
  fc.assert(
    fc.property(exportsArb, (exports) => {
      const { ports } = merged(exports).spec;
      const all = exports.flatMap(({ facts }) => facts.ports);
      for (const port of ports) expect(all).toContainEqual(port);
      expect(new Set(ports.map(({ name }) => name ?? '')).size).toBe(ports.length);
      expect(new Set(ports.map(({ port, protocol }) => `${port}/${protocol}`)).size).toBe(ports.length);
      for (const port of oldest(exports).facts.ports) expect(ports).toContainEqual(port);
      for (const port of all)
        expect(
          ports.some((other) => (other.name ?? '') === (port.name ?? '') || (other.port === port.port && other.protocol === port.protocol)),
        ).toBe(true);
    }),
  );
});

it('takes the word of the oldest for what cannot be merged', () => {
  fc.assert(
    fc.property(exportsArb, (exports) => {
      const { facts } = oldest(exports);
      const { spec, labels, annotations, clusters } = merged(exports);
      expect(spec.type).toBe(facts.type);
      expect(spec.sessionAffinity).toBe(facts.sessionAffinity ?? 'None');
      expect(spec.internalTrafficPolicy).toBe(facts.internalTrafficPolicy ?? 'Cluster');
      expect(spec.trafficDistribution).toBe(facts.trafficDistribution);
      expect([labels, annotations]).toEqual([facts.labels ?? {}, facts.annotations ?? {}]);
      expect(clusters).toEqual(exports.map(({ cluster }) => cluster).sort());
    }),
  );
});

/** What an export says of a field, as Kubernetes means it. */
const meant = (reason: string, { facts }: ClusterExport): unknown => {
  const keeps = facts.sessionAffinity !== undefined;
  return {
    PortConflict: facts.ports.map((port) => JSON.stringify([port.name, port.protocol, port.port, port.appProtocol])).sort(),
    TypeConflict: facts.type,
    IPFamilyConflict: facts.ipFamilies,
    SessionAffinityConflict: keeps,
    SessionAffinityConfigConflict: keeps ? (facts.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? 10_800) : undefined,
    InternalTrafficPolicyConflict: facts.internalTrafficPolicy ?? 'Cluster',
    TrafficDistributionConflict: facts.trafficDistribution ?? '',
    LabelsConflict: Object.entries(facts.labels ?? {}).sort(),
    AnnotationsConflict: Object.entries(facts.annotations ?? {}).sort(),
  }[reason];
};
const REASONS = [
  ...['PortConflict', 'TypeConflict', 'IPFamilyConflict', 'SessionAffinityConflict', 'SessionAffinityConfigConflict'],
  ...['InternalTrafficPolicyConflict', 'TrafficDistributionConflict', 'LabelsConflict', 'AnnotationsConflict'],
];

it('has a conflict about exactly what exports say differently; who does not say cannot disagree', () => {
  fc.assert(
    fc.property(exportsArb, (exports) => {
      const differing = REASONS.filter((reason) => {
        const said = exports.map((one) => meant(reason, one)).filter((one) => one !== undefined);
        return new Set(said.map((one) => JSON.stringify(one))).size > 1;
      });
      expect(merged(exports).conflicts.map(({ reason }) => reason)).toEqual(differing);
    }),
  );
});

it('has no conflict any more once those that differ are gone, and then is what the oldest alone makes', () => {
  fc.assert(
    fc.property(exportsArb, (exports) => {
      const first = oldest(exports);
      const after = merged([first]);
      expect(after.conflicts).toEqual([]);
      expect(after.spec.ports).toEqual(first.facts.ports);
      // Newer ones that say the same change nothing but who exports it.
      const alike = exports.map(({ cluster }) => ({ cluster, facts: first.facts }));
      expect(merged(alike)).toEqual({ ...after, clusters: exports.map(({ cluster }) => cluster).sort() });
    }),
  );
});
