/** What a ServiceExport of the own cluster is told (KEP-1645; rules 3, 6 and 8). Pure. */
import type { MergedImport } from '@hawser/model/multicluster/merge-exports.ts';
import type { Finding } from './conditions.ts';

/** What is known of it. */
export interface ExportQuestion {
  /** Type of its Service as the API server has it, `''` for the default; undefined where there is no such Service. */
  readonly serviceType: string | undefined;
  /** What the cluster offers of it; undefined while that is not in force. */
  readonly offered: { readonly ports: readonly { readonly port: number; readonly protocol: string }[] } | undefined;
  /** What all exports together make. */
  readonly merged: MergedImport | undefined;
  /** Whether the hub lets the cluster export its namespace. */
  readonly isAllowed: boolean;
  /** Whether an import of somebody else stands where the own would be. */
  readonly isForeign: boolean;
}

const NO_CONFLICT: Finding = { type: 'Conflict', status: 'False', reason: 'NoConflicts', message: 'all exports agree' };

/** Its conditions: Valid, Ready and Conflict. */
export function exportFindings(question: ExportQuestion): readonly Finding[] {
  const { serviceType, isAllowed, offered } = question;
  if (serviceType === undefined)
    return [
      invalid('NoService', 'there is no Service of its name in its namespace'),
      notReady('Pending', 'it waits for its Service'),
      NO_CONFLICT,
    ];
  if (serviceType === 'ExternalName')
    return [
      invalid(
        'InvalidServiceType',
        'a Service of type ExternalName has no endpoints to export: use ClusterIP, NodePort, LoadBalancer or a headless one',
      ),
      notReady('Failed', 'its Service cannot be exported'),
      NO_CONFLICT,
    ];
  const valid: Finding = { type: 'Valid', status: 'True', reason: 'Valid', message: 'its Service can be exported' };
  if (!isAllowed) {
    const why = 'the Cluster of the hub does not let it export this namespace (spec.exports.namespaces)';
    return [valid, notReady('Failed', why), NO_CONFLICT];
  }
  return [
    valid,
    offered === undefined ? notReady('Pending', 'its endpoints are not in force yet') : ready(offered.ports),
    conflict(question),
  ];
}

function invalid(reason: string, message: string): Finding {
  return { type: 'Valid', status: 'False', reason, message };
}

function notReady(reason: string, message: string): Finding {
  return { type: 'Ready', status: 'False', reason, message };
}

/** The mesh carries TCP alone: other ports are told to everybody and cannot be called. */
function ready(ports: NonNullable<ExportQuestion['offered']>['ports']): Finding {
  const uncarried = ports.filter(({ protocol }) => protocol !== 'TCP').map(({ port, protocol }) => `${port}/${protocol}`);
  const said = `ports ${uncarried.join(', ')} cannot be called: the mesh carries TCP alone`;
  if (uncarried.length === 0) return { type: 'Ready', status: 'True', reason: 'Exported', message: 'the other clusters are told' };
  if (uncarried.length === ports.length) return notReady('Failed', said);
  return { type: 'Ready', status: 'True', reason: 'Exported', message: said };
}

/** Every export of a conflict is told, the one that won too. */
function conflict({ merged, isForeign }: ExportQuestion): Finding {
  const conflicts = [
    ...(merged?.conflicts ?? []),
    ...(isForeign
      ? [{ reason: 'ImportConflict', message: 'a ServiceImport of its name was made by somebody else, and is left as it is' }]
      : []),
  ];
  const [first] = conflicts;
  if (first === undefined) return NO_CONFLICT;
  return { type: 'Conflict', status: 'True', reason: first.reason, message: conflicts.map(({ message }) => message).join('; ') };
}
