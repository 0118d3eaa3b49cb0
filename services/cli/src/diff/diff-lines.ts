/** PURE: the answer of `POST /hawser/v1/diff` as lines of text. */
import { counted } from '@hawser/model/counted.ts';
import type { ClusterDifference, DiffAnswer, ResourceDifference } from '@hawser/wire/hub-api.ts';
import type { FieldDifference, XdsDifference } from '@hawser/wire/messages.ts';

const RED = '\u001b[31m';
const GREEN = '\u001b[32m';
const BOLD = '\u001b[1m';
const PLAIN = '\u001b[0m';
const MAX_VALUE = 300;

/** Resources as unified diffs, then each cluster that was asked with what would change there. Nothing when nothing differs. */
export function diffLines({ resources, clusters }: DiffAnswer, coloured: boolean): string[] {
  const lines = [...resources.flatMap(resourceLines), ...clusters.flatMap(clusterLines)];
  return coloured ? lines.map(paint) : lines;
}

function resourceLines({ kind, namespace, name, action, text }: ResourceDifference): string[] {
  if (text === '') return [];
  return [`# ${action} ${kind} ${namespace === '' ? '' : `${namespace}/`}${name}`, ...text.trimEnd().split('\n')];
}

function clusterLines({ cluster, state, resources, resourcesOmitted, proxies, revision }: ClusterDifference): string[] {
  if (state === 'unknown') return [];
  const count = resources.length + resourcesOmitted;
  const what = `${counted(count, 'xDS resource')} at ${proxyCount(proxies)}`;
  const more = resourcesOmitted > 0 ? [`  … and ${resourcesOmitted} more`] : [];
  return ['', `# ${cluster} (at revision ${revision}): ${what}`, ...resources.flatMap(xdsLines), ...more];
}

function xdsLines({ type, name, layer, action, proxies, fields, fieldsOmitted }: XdsDifference): string[] {
  const more = fieldsOmitted > 0 ? [`    … and ${fieldsOmitted} more fields`] : [];
  return [`  ${action} ${type} ${name} (${layer}, ${proxyCount(proxies)})`, ...fields.flatMap(fieldLines), ...more];
}

function proxyCount(proxies: number): string {
  return `${proxies} ${proxies === 1 ? 'proxy' : 'proxies'}`;
}

function fieldLines({ path, before, after }: FieldDifference): string[] {
  const title = path === '' ? '' : `${path}: `;
  return [
    ...(before === undefined ? [] : [`-   ${title}${short(before)}`]),
    ...(after === undefined ? [] : [`+   ${title}${short(after)}`]),
  ];
}

function short(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > MAX_VALUE ? `${text.slice(0, MAX_VALUE)}…` : text;
}

function paint(line: string): string {
  if (line.startsWith('#')) return `${BOLD}${line}${PLAIN}`;
  return line.startsWith('-') ? `${RED}${line}${PLAIN}` : line.startsWith('+') ? `${GREEN}${line}${PLAIN}` : line;
}
