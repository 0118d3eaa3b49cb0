/** `hawser get`: one resource or a list, in the form asked for. */
import type { KindDescriptor } from '@hawser/model/kinds.ts';
import type { Resource } from '@hawser/model/resource.ts';
import type { HubClient } from '../client/hub-client.ts';
import { resourcePath } from '../client/resource-path.ts';
import { connectHub, type GlobalFlags } from '../commands/connect-hub.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { note, print, printJson, printYaml } from '../output/print.ts';
import { tableLines } from '../output/table.ts';
import { type FollowQuery, followResources } from './follow-resources.ts';
import { kindAndName } from './kind-argument.ts';
import { kindColumns } from './kind-columns.ts';
import { listResources } from './list-resources.ts';

/** Flags of `get`. */
export interface GetFlags extends GlobalFlags {
  readonly namespace?: string;
  readonly allNamespaces?: boolean;
  readonly selector?: string;
  readonly output: 'table' | 'wide' | 'json' | 'yaml' | 'name';
  readonly watch?: boolean;
}

/** Runs the command. */
export async function getCommand(kindWord: string, nameWord: string | undefined, flags: GetFlags): Promise<ExitCode> {
  const { kind, name } = kindAndName(kindWord, nameWord);
  const hub = connectHub(flags);
  const namespace = namespaceFor(kind, flags);
  const read = async (): Promise<Resource[]> =>
    name === undefined
      ? listResources(hub, { kind, namespace }, flags.selector)
      : [(await hub.send({ path: resourcePath({ kind, namespace: namespace ?? 'default', name }) })) as Resource];
  const resources = await read();
  await show(resources, kind, { flags, single: name !== undefined, heading: true });
  const place = name === undefined ? namespace : (namespace ?? 'default');
  if (flags.watch === true) await watch(hub, { kind, namespace: place, name, selector: flags.selector }, { flags, seen: resources });
  return EXIT.done;
}

/** Undefined means all namespaces. */
function namespaceFor(kind: KindDescriptor, flags: GetFlags): string | undefined {
  return !kind.namespaced || flags.allNamespaces === true ? undefined : (flags.namespace ?? 'default');
}

interface ShowOptions {
  readonly flags: GetFlags;
  readonly single: boolean;
  readonly heading: boolean;
}

async function show(resources: readonly Resource[], kind: KindDescriptor, { flags, single, heading }: ShowOptions): Promise<void> {
  const whole = single ? resources[0] : { apiVersion: 'v1', kind: 'List', items: resources };
  if (flags.output === 'json') printJson(whole);
  else if (flags.output === 'yaml') await printYaml(whole);
  else for (const line of textLines(resources, kind, { flags, heading })) print(line);
  if (resources.length === 0 && heading && ['table', 'wide'].includes(flags.output)) note(nothingFound(kind, flags));
}

function textLines(resources: readonly Resource[], kind: KindDescriptor, { flags, heading }: Omit<ShowOptions, 'single'>): string[] {
  if (flags.output === 'name') return resources.map(({ metadata }) => `${kind.kind.toLowerCase()}/${metadata.name}`);
  if (resources.length === 0) return [];
  const columns = kindColumns(kind.kind, {
    namespaces: kind.namespaced && flags.allNamespaces === true,
    wide: flags.output === 'wide',
    now: Date.now(),
  });
  return tableLines(columns, resources).slice(heading ? 0 : 1);
}

function nothingFound(kind: KindDescriptor, flags: GetFlags): string {
  const where =
    !kind.namespaced || flags.allNamespaces === true ? '' : ` in namespace ${flags.namespace ?? 'default'} (-A: all namespaces)`;
  return `no ${kind.plural} found${where}`;
}

/** Prints what changes until it is interrupted; what was shown already is not shown again. */
async function watch(hub: HubClient, query: FollowQuery, { flags, seen }: { flags: GetFlags; seen: Resource[] }): Promise<void> {
  for await (const { type, resource } of followResources(hub, { ...query, seen }, new AbortController().signal)) {
    if (type === 'DELETED' && ['table', 'wide', 'name'].includes(flags.output)) print(`${keyOf(resource)} deleted`);
    else await show([resource], query.kind, { flags, single: true, heading: false });
  }
}

function keyOf({ kind, metadata }: Resource): string {
  return `${kind.toLowerCase()}/${metadata.namespace === undefined ? '' : `${metadata.namespace}/`}${metadata.name}`;
}
