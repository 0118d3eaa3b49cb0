/** The CustomResourceDefinitions of the MCS API (KEP-1645; mcs-api v0.5): both versions are served, v1beta1 is kept. Pure. */
import { ImportSpec, ImportStatus, MULTICLUSTER, ServiceExportSpec } from '@hawser/model/multicluster.ts';
import { CONDITIONS, type CrdVersion, conditionColumn, customResourceDefinition, objectSchema } from './custom-resource-definition.ts';
import { type StructuralSchema, structuralSchema } from './structural-schema.ts';

const KIND = { group: MULTICLUSTER.group, namespaced: true };

/** As many addresses as families, in their order, none twice; the addresses stay for the import's life. */
const IMPORT_RULES = new Map([
  [
    'spec',
    [
      {
        rule: '!has(self.ips) || !has(self.ipFamilies) || size(self.ips) == size(self.ipFamilies)',
        message: 'ips and ipFamilies must be as many',
      },
      { rule: "self.type != 'Headless' || !has(self.ips) || size(self.ips) == 0", message: 'a Headless import has no ips' },
    ],
  ],
  [
    'spec.ips',
    [{ rule: 'self.all(ip, isIP(ip)) && self.all(ip, self.exists_one(other, other == ip))', message: 'must be IP addresses, none twice' }],
  ],
  ['spec.ipFamilies', [{ rule: 'self.all(family, self.exists_one(other, other == family))', message: 'names a family twice' }]],
]);

/** Both definitions. */
export function multiclusterDefinitions(): readonly object[] {
  return [
    customResourceDefinition({
      ...{ ...KIND, kind: 'ServiceExport', plural: 'serviceexports', shortNames: ['svcex', 'svcexport'] },
      versions: bothVersions(exportSchema(), ['Valid', 'Ready', 'Conflict'].map(conditionColumn)),
    }),
    customResourceDefinition({
      ...{ ...KIND, kind: 'ServiceImport', plural: 'serviceimports', shortNames: ['svcim', 'svcimport'] },
      versions: bothVersions(importSchema(), [
        { name: 'Type', type: 'string', jsonPath: '.spec.type' },
        { name: 'IP', type: 'string', jsonPath: '.spec.ips' },
      ]),
    }),
  ];
}

/** The two differ in name alone, so that no conversion is needed. */
function bothVersions(schema: StructuralSchema, columns: readonly object[]): readonly CrdVersion[] {
  return [
    { name: 'v1beta1', schema, storage: true, columns },
    { name: 'v1alpha1', schema, storage: false, columns },
  ];
}

function exportSchema(): StructuralSchema {
  const status: StructuralSchema = { description: 'What became of it.', type: 'object', properties: { conditions: CONDITIONS } };
  const description = 'Offers the Service of its name and namespace to the other clusters of the clusterset.';
  return objectSchema({ description, spec: structuralSchema(ServiceExportSpec), status });
}

function importSchema(): StructuralSchema {
  const status = structuralSchema(ImportStatus);
  const { clusters, ...others } = status.properties ?? {};
  const byCluster = { ...clusters, 'x-kubernetes-list-type': 'map' as const, 'x-kubernetes-list-map-keys': ['cluster'] };
  return objectSchema({
    description: 'A service of other clusters of the clusterset, as all its exports together make it.',
    spec: structuralSchema(ImportSpec, IMPORT_RULES),
    status: { ...status, properties: { ...others, clusters: byCluster, conditions: CONDITIONS } },
  });
}
