import type { Manifest } from './manifest.ts';

/** What is referred to comes before what refers to it: a VirtualService's subsets are its DestinationRule's. */
const ORDER = ['TrustDomain', 'Cluster', 'JoinToken', 'DestinationRule', 'FailoverPolicy', 'TrafficShift', 'VirtualService'];

/** PURE: manifests in the order in which they can be written; equal kinds keep the order of the files. Reverse it to delete. */
export function applyOrder(manifests: readonly Manifest[]): Manifest[] {
  return manifests.toSorted((a, b) => rank(a) - rank(b));
}

function rank({ kind }: Manifest): number {
  const index = ORDER.indexOf(kind.kind);
  return index === -1 ? ORDER.length : index;
}
