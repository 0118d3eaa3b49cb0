/** Charts rendered by Helm itself, for tests. */

import { join } from 'node:path';
import type { KubeObject } from '@hawser/model/kube-object.ts';
import { parseAllDocuments } from 'yaml';
import { helm } from './helm.ts';

const CHARTS = join(import.meta.dirname, '../../deploy/charts');

/** Path of a chart. */
export function chartPath(chart: string): string {
  return join(CHARTS, chart);
}

const known = new Map<string, Promise<readonly KubeObject[]>>();

/** The objects that a release named after its chart has with these values; rendered once. Throws what Helm says against them. */
export function rendered(chart: string, values: object, namespace = 'hawser-system'): Promise<readonly KubeObject[]> {
  const key = JSON.stringify([chart, values, namespace]);
  const objects = known.get(key) ?? render(chart, values, namespace);
  known.set(key, objects);
  return objects;
}

async function render(chart: string, values: object, namespace: string): Promise<readonly KubeObject[]> {
  const { status, stdout, stderr } = await helm(['template', chart, chartPath(chart), '-n', namespace, '--include-crds'], values);
  if (status !== 0) throw new Error(stderr.trim());
  return parseAllDocuments(stdout).flatMap((one) => {
    if (one.errors.length > 0) throw new Error(`${chart} renders no YAML: ${one.errors[0]?.message}`);
    return (one.toJS() as KubeObject | null) ?? [];
  });
}

/** What is read of a Pod's template. */
export interface PodTemplate {
  readonly metadata: { readonly labels: Readonly<Record<string, string>> };
  readonly spec: {
    readonly enableServiceLinks?: boolean;
    readonly containers: readonly {
      readonly name: string;
      readonly command: readonly string[];
      readonly args: readonly string[];
      readonly env?: readonly { readonly name: string; readonly value?: string }[];
      readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
    }[];
    readonly volumes: readonly { readonly name: string; readonly [source: string]: unknown }[];
  };
}

/** The Pod's template of a Deployment or StatefulSet; undefined of anything else. */
export function podTemplateOf({ kind, spec }: KubeObject & { readonly spec?: unknown }): PodTemplate | undefined {
  return ['Deployment', 'StatefulSet'].includes(kind) ? (spec as { template: PodTemplate }).template : undefined;
}
