/** Sidecars that hide too much, name nothing, or compete. */
import type { SidecarSpec, VirtualServiceSpec } from '../../istio/specs.ts';
import { destinationsOf } from '../destinations.ts';
import { type Finding, finding } from '../finding.ts';
import { covers, keyOf } from '../hosts.ts';
import type { Subject } from '../subject.ts';
import { byAge, type World } from '../world.ts';

type Sidecar = Subject<SidecarSpec>;

/** HW0701, HW0702, HW0703. */
export function sidecarFindings(subject: Sidecar, world: World): Finding[] {
  return [...hidden(subject, world), ...competing(subject, world), ...unknownHosts(subject, world)];
}

function hidden(subject: Sidecar, world: World): Finding[] {
  const lets = egressHosts(subject);
  if (lets.length === 0) return [];
  const routed = new Map<string, string>();
  for (const policy of world.of<VirtualServiceSpec>('VirtualService')) {
    if (policy.namespace !== subject.namespace) continue;
    for (const { destination } of destinationsOf(policy.spec)) {
      const key = keyOf(destination.host, policy.namespace);
      if (!lets.some((egress) => letsThrough(egress, key, policy.namespace)))
        routed.set(key, `${policy.key} routes to ${destination.host}`);
    }
  }
  return [...routed.values()].map((why) =>
    finding('HW0701', { at: subject, field: 'spec.egress' }, `${why}, which no egress host takes in`),
  );
}

interface EgressHost {
  readonly field: string;
  /** `*` for all. */
  readonly namespace: string;
  readonly host: string;
}

function egressHosts({ spec, namespace }: Sidecar): readonly EgressHost[] {
  return (spec.egress ?? []).flatMap(({ hosts }, at) =>
    hosts.map((text, index) => {
      const slash = text.indexOf('/');
      const from = slash === -1 ? '*' : text.slice(0, slash);
      return { field: `spec.egress[${at}].hosts[${index}]`, namespace: from === '.' ? namespace : from, host: text.slice(slash + 1) };
    }),
  );
}

/** Hosts outside of the mesh belong to the namespace of their ServiceEntry, which is taken to be that of the policy. */
function letsThrough({ namespace, host }: EgressHost, key: string, policyNamespace: string): boolean {
  const owner = key.startsWith('*/') ? policyNamespace : key.slice(0, key.indexOf('/'));
  const isFrom = namespace === '*' || namespace === owner;
  return isFrom && (host === '*' || covers(keyOf(host, owner), key));
}

function competing(subject: Sidecar, world: World): Finding[] {
  const selector = ({ spec }: Sidecar): string => JSON.stringify(Object.entries(spec.workloadSelector?.labels ?? {}).sort());
  const rivals = world
    .of<SidecarSpec>('Sidecar')
    .filter((other) => other.key !== subject.key && other.namespace === subject.namespace && selector(other) === selector(subject));
  const first = rivals.filter((other) => byAge(other, subject) < 0).sort(byAge)[0];
  if (first === undefined) return [];
  const whom = subject.spec.workloadSelector === undefined ? 'the whole namespace' : 'the same workloads';
  return [finding('HW0702', { at: subject, field: 'spec.workloadSelector' }, `${first.key} is for ${whom} too; it is older and wins`)];
}

function unknownHosts(subject: Sidecar, world: World): Finding[] {
  return egressHosts(subject).flatMap(({ field, namespace, host }) => {
    if (host === '*' || namespace === '~') return [];
    const place = namespace === '*' ? subject.namespace : namespace;
    if (world.presence(keyOf(host, place)) !== 'nothing') return [];
    return [finding('HW0703', { at: subject, field }, `nothing has the host ${host}`)];
  });
}
