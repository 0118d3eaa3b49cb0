/** `hawser describe`: one resource with its conditions and where its last change has got to. */
import type { Resource } from '@hawser/model/resource.ts';
import type { RolloutAnswer } from '@hawser/wire/hub-api.ts';
import { refusalText } from '../apply/apply-result.ts';
import type { HubClient } from '../client/hub-client.ts';
import { resourcePath } from '../client/resource-path.ts';
import { connectHub, type GlobalFlags } from '../commands/connect-hub.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { ageOf } from '../output/age.ts';
import { print, printYaml } from '../output/print.ts';
import { tableLines } from '../output/table.ts';
import { kindAndName } from './kind-argument.ts';
import { type ConditionText, conditionsOf } from './kind-columns.ts';

/** Flags of `describe`. */
export interface DescribeFlags extends GlobalFlags {
  readonly namespace?: string;
}

/** Runs the command. */
export async function describeCommand(kindWord: string, nameWord: string | undefined, flags: DescribeFlags): Promise<ExitCode> {
  const { kind, name } = kindAndName(kindWord, nameWord);
  const hub = connectHub(flags);
  if (name === undefined) throw new TypeError('describe needs a name');
  const resource = (await hub.send({ path: resourcePath({ kind, namespace: flags.namespace ?? 'default', name }) })) as Resource;
  printHead(resource);
  print('Spec:');
  await printYaml(resource.spec);
  printConditions(conditionsOf(resource));
  if (kind.policy) printRollout(await rolloutOf(hub, resource));
  return EXIT.done;
}

function printHead({ apiVersion, kind, metadata }: Resource): void {
  const facts: [string, string | undefined][] = [
    ['Name', metadata.name],
    ['Namespace', metadata.namespace],
    ['Kind', `${kind} (${apiVersion})`],
    ['Revision', metadata.resourceVersion],
    ['Generation', metadata.generation === undefined ? undefined : String(metadata.generation)],
    ['Age', ageOf(metadata.creationTimestamp, Date.now())],
    ...Object.entries(metadata.labels ?? {}).map(([key, value]): [string, string] => ['Label', `${key}=${value}`]),
    ...Object.entries(metadata.annotations ?? {}).map(([key, value]): [string, string] => ['Annotation', `${key}=${value}`]),
  ];
  for (const [title, value] of facts) if (value !== undefined && value !== '') print(`${`${title}:`.padEnd(14)}${value}`);
}

function printConditions(conditions: readonly ConditionText[]): void {
  if (conditions.length === 0) return;
  print('Conditions:');
  const columns = [
    { title: 'TYPE', cell: ({ type }: ConditionText) => type },
    { title: 'STATUS', cell: ({ status }: ConditionText) => status },
    { title: 'REASON', cell: ({ reason }: ConditionText) => reason },
    { title: 'MESSAGE', cell: ({ message }: ConditionText) => message },
  ];
  for (const line of tableLines(columns, conditions)) print(`  ${line}`);
}

/** Where the last change of the resource has got to; undefined when the hub no longer keeps its account. */
async function rolloutOf(hub: HubClient, resource: Resource): Promise<RolloutAnswer | undefined> {
  const { resourceVersion } = resource.metadata;
  return resourceVersion === undefined
    ? undefined
    : ((await hub.find(`/hawser/v1/rollouts/${resourceVersion}?timeout=0ms`)) as RolloutAnswer | undefined);
}

function printRollout(rollout: RolloutAnswer | undefined): void {
  if (rollout === undefined) return;
  const { expected, acked, nacked } = rollout.proxies;
  print(`Rollout:      ${acked} of ${expected} proxies acknowledged revision ${rollout.revision}, ${nacked} refused it`);
  for (const nack of rollout.nacks) print(`  ${refusalText(nack)}`);
  if (rollout.waitingFor.length > 0) print(`  waiting for ${rollout.waitingFor.join(', ')}`);
  if (rollout.disconnected.length > 0) print(`  not connected: ${rollout.disconnected.join(', ')}`);
}
