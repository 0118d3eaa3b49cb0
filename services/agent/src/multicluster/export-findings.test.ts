import type { MergedImport } from '@hawser/model/multicluster/merge-exports.ts';
import { expect, it } from 'vitest';
import { type ExportQuestion, exportFindings } from './export-findings.ts';

const TCP = { port: 80, protocol: 'TCP' };
const UDP = { port: 53, protocol: 'UDP' };
const merged: MergedImport = {
  ...{ spec: { type: 'ClusterSetIP', ports: [] }, labels: {}, annotations: {}, clusters: ['east'] },
  conflicts: [
    { reason: 'PortConflict', message: 'ports differ' },
    { reason: 'TypeConflict', message: 'types differ' },
  ],
};
const good: ExportQuestion = { serviceType: '', offered: { ports: [TCP] }, merged: undefined, isAllowed: true, isForeign: false };
const told = (change: Partial<ExportQuestion>) =>
  exportFindings({ ...good, ...change }).map(({ type, status, reason }) => `${type} ${status} ${reason}`);

it.each<[string, Partial<ExportQuestion>, string[]]>([
  ['exported', {}, ['Valid True Valid', 'Ready True Exported', 'Conflict False NoConflicts']],
  ['without a Service', { serviceType: undefined }, ['Valid False NoService', 'Ready False Pending', 'Conflict False NoConflicts']],
  [
    'of an ExternalName',
    { serviceType: 'ExternalName' },
    ['Valid False InvalidServiceType', 'Ready False Failed', 'Conflict False NoConflicts'],
  ],
  ['not in force yet', { offered: undefined }, ['Valid True Valid', 'Ready False Pending', 'Conflict False NoConflicts']],
  ['not allowed by the hub', { isAllowed: false }, ['Valid True Valid', 'Ready False Failed', 'Conflict False NoConflicts']],
  ['of UDP alone', { offered: { ports: [UDP] } }, ['Valid True Valid', 'Ready False Failed', 'Conflict False NoConflicts']],
  ['of UDP too', { offered: { ports: [TCP, UDP] } }, ['Valid True Valid', 'Ready True Exported', 'Conflict False NoConflicts']],
  ['without ports', { offered: { ports: [] } }, ['Valid True Valid', 'Ready True Exported', 'Conflict False NoConflicts']],
  ['in conflict', { merged }, ['Valid True Valid', 'Ready True Exported', 'Conflict True PortConflict']],
  ['beside an import of others', { isForeign: true }, ['Valid True Valid', 'Ready True Exported', 'Conflict True ImportConflict']],
])('an export %s is told so', (_, change, expected) => {
  expect(told(change)).toEqual(expected);
});

it('all conflicts are named, the first in its reason', () => {
  const [, , conflict] = exportFindings({ ...good, merged, isForeign: true });
  expect(conflict?.message).toMatch(/^ports differ; types differ; a ServiceImport of its name/);
});
