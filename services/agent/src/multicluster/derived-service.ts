/**
 * The derived Service of an import (KEP-1645, "ClusterSet Service behavior expectations"): its ClusterIP is the import's ClusterSetIP,
 * and its endpoints are those of the cluster's outbound gateway. Pure.
 */
import { IMPORT_NAME_LABEL, type ImportSpec } from '@hawser/model/multicluster.ts';
import { sha256 } from '@hawser/runtime/canonical-json.ts';
import { SLICE_OWNER, SLICE_OWNER_LABEL } from '../discover/kubernetes/followed-kinds.ts';
import { SLICE_SERVICE_LABEL } from '../discover/registry-kinds.ts';
import type { BackingState } from './backing-states.ts';
import type { BackingObject } from './backing-writes.ts';
import { OWNER, OWNER_LABEL } from './wanted-import.ts';

/** Name of the derived Service of an import in the same namespace; a Service may have the import's own name. */
export function derivedName(importName: string): string {
  return `derived-${sha256(importName).slice(0, 10)}`;
}

/** The Service; undefined for an import without ports, which no Service can be. */
export function derivedService(importName: string, { ports }: Pick<ImportSpec, 'ports'>): BackingObject | undefined {
  if (ports.length === 0) return undefined;
  return {
    name: derivedName(importName),
    labels: { [IMPORT_NAME_LABEL]: importName, [OWNER_LABEL]: OWNER },
    content: {
      spec: {
        ...{ type: 'ClusterIP', sessionAffinity: 'None', internalTrafficPolicy: 'Cluster' },
        ports: ports.map(({ port, protocol = 'TCP', appProtocol, ...rest }) => {
          const name = portName({ port, ...rest }, ports);
          return { ...(name === '' ? {} : { name }), port, protocol, ...(appProtocol === undefined ? {} : { appProtocol }) };
        }),
      },
    },
  };
}

/**
 * Its EndpointSlices: one for each of the outbound gateway's, whose endpoints and conditions it has.
 * @param listenerPorts Service port → where the outbound gateway takes calls of it; ports that it does not take are left out.
 * @param gateway The outbound gateway's own EndpointSlices by key.
 */
export function derivedSlices(
  importName: string,
  { ports }: Pick<ImportSpec, 'ports'>,
  {
    listenerPorts,
    gateway,
  }: { readonly listenerPorts: ReadonlyMap<number, number>; readonly gateway: Iterable<readonly [string, BackingState]> },
): BackingObject[] {
  const service = derivedName(importName);
  const taken = ports.flatMap((port) => {
    const number = (port.protocol ?? 'TCP') === 'TCP' ? listenerPorts.get(port.port) : undefined;
    if (number === undefined) return [];
    const [name, { appProtocol }] = [portName(port, ports), port];
    return [{ ...(name === '' ? {} : { name }), port: number, protocol: 'TCP', ...(appProtocol === undefined ? {} : { appProtocol }) }];
  });
  return [...gateway].map(([key, { content }]) => ({
    name: `${service}-${sha256(key).slice(0, 10)}`,
    labels: { [SLICE_SERVICE_LABEL]: service, [SLICE_OWNER_LABEL]: SLICE_OWNER },
    content: { addressType: content['addressType'], ports: taken, endpoints: content['endpoints'] },
  }));
}

/** Several ports of a Service all need names, and one of an import may have none. */
function portName({ name = '', port }: ImportSpec['ports'][number], all: ImportSpec['ports']): string {
  return name === '' && all.length > 1 ? `port-${port}` : name;
}
