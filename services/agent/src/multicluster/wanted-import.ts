/** What the ServiceImport of one service has to be in this cluster (KEP-1645; rules 2 to 7). Pure. */
import { counted } from '@hawser/model/counted.ts';
import type { MergedImport } from '@hawser/model/multicluster/merge-exports.ts';
import type { ImportSpec } from '@hawser/model/multicluster.ts';
import type { Finding } from './conditions.ts';
import { clustersOf, type ImportState } from './object-states.ts';

/** Whose an import is; another implementation's has it not, and is left alone. */
export const OWNER_LABEL = 'app.kubernetes.io/managed-by';
export const OWNER = 'hawser';
/** The query for them. */
export const OWN_IMPORTS = { labelSelector: `${OWNER_LABEL}=${OWNER}` } as const;

/** What is asked. */
export interface ImportQuestion {
  /** What all exports together make; undefined when nobody exports it. */
  readonly merged: MergedImport | undefined;
  readonly existing: ImportState | undefined;
  /** Whether an import that has lost its label was known as ours. */
  readonly wasOurs: boolean;
  /** Whether objects can be made in its namespace. */
  readonly hasNamespace: boolean;
  /** Members of whose exports not everything is known. */
  readonly unknown: ReadonlySet<string>;
  /** Its addresses; undefined while none is known, empty when there is none to give. */
  readonly ips: readonly string[] | undefined;
  /** Why there is none to give. */
  readonly lack: string;
  /** Whether EndpointSlices are made of it, and then which clusters' endpoints are in none: they are behind gateways. */
  readonly slices: { readonly beyond: readonly string[] } | undefined;
}

/** What it should be, whole. */
export interface WantedImport {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly spec: ImportSpec;
  readonly status: { readonly clusters: readonly { readonly cluster: string }[]; readonly endpointSliceObjects: 'Present' | 'Absent' };
  readonly finding: Finding;
}

/** `leave`: as it is, for now or for good; `foreign`: somebody else made it, and it stands in the way. */
export type ImportVerdict = 'leave' | 'foreign' | 'absent' | WantedImport;

/** Judges one import. What is not known is never taken for gone: then an import stays as it is. */
export function wantedImport(question: ImportQuestion): ImportVerdict {
  const { merged, existing, hasNamespace } = question;
  if (existing !== undefined && !question.wasOurs && !isOurs(existing)) return merged === undefined ? 'leave' : 'foreign';
  if (existing !== undefined && mayLose(existing, question)) return 'leave';
  if (merged === undefined) return existing === undefined ? 'leave' : 'absent';
  return hasNamespace ? present(merged, question) : 'leave';
}

/** Whether the import is one that Hawser made. */
export function isOurs({ labels }: ImportState): boolean {
  return labels[OWNER_LABEL] === OWNER;
}

/**
 * Whether what is known now may be less than there is, because of a cluster that the import is of. One that does not say of which is not
 * written yet, or was left so in the middle: it is not taken away while anything is unknown.
 */
function mayLose(existing: ImportState, { merged, unknown }: ImportQuestion): boolean {
  const known = merged?.clusters ?? [];
  const of = clustersOf(existing);
  if (of === undefined) return merged === undefined && unknown.size > 0;
  return of.some((cluster) => unknown.has(cluster) && !known.includes(cluster));
}

function present(merged: MergedImport, question: ImportQuestion): ImportVerdict {
  const isHeadless = merged.spec.type === 'Headless';
  if (!isHeadless && question.ips === undefined) return 'leave';
  const { ipFamilies: _, ...spec } = merged.spec;
  const ips = isHeadless ? [] : (question.ips ?? []);
  return {
    labels: { ...merged.labels, [OWNER_LABEL]: OWNER },
    annotations: merged.annotations,
    spec: { ...spec, ...(ips.length === 0 ? {} : { ips: [...ips], ipFamilies: ips.map(familyOf) }) },
    status: {
      clusters: merged.clusters.map((cluster) => ({ cluster })),
      endpointSliceObjects: question.slices === undefined ? 'Absent' : 'Present',
    },
    finding: isHeadless || ips.length > 0 ? addressed(merged, ips, question) : notReady('Pending', question.lack),
  };
}

/** Of an import that has the addresses that it can have. A headless one has none, and names no families. */
function addressed({ clusters, spec: { ipFamilies = [] } }: MergedImport, ips: readonly string[], { slices }: ImportQuestion): Finding {
  const own = ips.map(familyOf);
  const lacking = ipFamilies.filter((family) => !own.includes(family));
  const told = `its address is of ${own.join(' and ')}, and of ${lacking.join(' and ')} there is none here; calls of it are led to every endpoint`;
  if (lacking.length > 0 && lacking.length === ipFamilies.length) return notReady('IPFamilyNotSupported', told);
  const said = exportedBy(clusters, slices?.beyond ?? []);
  return { type: 'Ready', status: 'True', reason: 'Ready', message: lacking.length === 0 ? said : `${said}; ${told}` };
}

function notReady(reason: string, message: string): Finding {
  return { type: 'Ready', status: 'False', reason, message };
}

function exportedBy(clusters: readonly string[], beyond: readonly string[]): string {
  const said = `exported by ${counted(clusters.length, 'cluster')}`;
  return beyond.length === 0 ? said : `${said}; endpoints of ${beyond.join(', ')} are behind gateways, and in no EndpointSlice`;
}

function familyOf(ip: string): 'IPv4' | 'IPv6' {
  return ip.includes(':') ? 'IPv6' : 'IPv4';
}
