/** `hawser cluster policies`: policy in a cluster's own API server, and what became of it. */
import { type MemberPolicies, modeOf, type PolicyMode } from '@hawser/model/policy-mode.ts';
import { AppError } from '@hawser/runtime/app-error.ts';
import type { ClusterPolicies, ClusterPolicy } from '@hawser/wire/found-policies.ts';
import { resourcePath } from '../client/resource-path.ts';
import { connectHub } from '../commands/connect-hub.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { ageOf } from '../output/age.ts';
import { note, print, printJson } from '../output/print.ts';
import { type Column, tableLines } from '../output/table.ts';
import { label } from '../proxy/proxy-flags.ts';
import { kindArgument } from '../resources/kind-argument.ts';
import type { ViewFlags } from '../views/status-command.ts';

/** Flags of `cluster policies`. */
export interface PoliciesFlags extends ViewFlags {
  /** `NAMESPACE=MODE`; `*` for namespaces that are not named. */
  readonly set?: readonly string[];
}

const MODES: readonly PolicyMode[] = ['Off', 'ReadOnly', 'Authoritative'];

/** Sets what is asked for, then shows what there is. */
export async function policiesCommand(cluster: string, flags: PoliciesFlags): Promise<ExitCode> {
  const hub = connectHub(flags);
  const name = label('NAME', cluster);
  if (flags.set !== undefined) {
    const policies = policiesPatch(flags.set);
    await hub.send({ method: 'PATCH', path: resourcePath({ kind: kindArgument('clusters'), name }), body: { spec: { policies } } });
    note(`policies of ${name} are set: its agent follows within a moment`);
  }
  const answer = (await hub.send({ path: `/hawser/v1/clusters/${name}/policies` })) as ClusterPolicies;
  if (flags.output === 'json') printJson(answer);
  else show(answer);
  return EXIT.done;
}

/** PURE: the merge patch of what `--set` says. Throws `usage`. */
export function policiesPatch(pairs: readonly string[]): MemberPolicies {
  const namespaces: Record<string, PolicyMode> = {};
  let all: PolicyMode | undefined;
  for (const pair of pairs) {
    const equals = pair.indexOf('=');
    const [namespace, word] = [pair.slice(0, Math.max(0, equals)), pair.slice(equals + 1)];
    const mode = MODES.find((one) => one.toLowerCase() === word.toLowerCase());
    if (namespace === '' || mode === undefined) throw new AppError('usage', `--set ${pair}: expected NAMESPACE=${MODES.join('|')}`);
    if (namespace === '*') all = mode;
    else namespaces[label('--set', namespace)] = mode;
  }
  return { ...(all === undefined ? {} : { mode: all }), ...(Object.keys(namespaces).length === 0 ? {} : { namespaces }) };
}

function show({ cluster, policies, kinds, items, heardAt, omittedMore }: ClusterPolicies): void {
  print(`policies of ${cluster}: ${settingText(policies)}`);
  if (items.length > 0) for (const line of tableLines(columns(Date.now()), items)) print(line);
  for (const { kind, namespace, name, findings = [] } of items)
    for (const { code, field, message } of findings) print(`${code} ${kind} ${namespace}/${name} ${field}: ${message}`);
  const isRead =
    items.length > 0 || Object.values(policies.namespaces ?? {}).some((mode) => mode !== 'Off') || modeOf(policies, '') !== 'Off';
  if (!isRead) {
    note(`nothing is read there: hawser cluster policies ${cluster} --set NAMESPACE=ReadOnly shows what there is`);
    return;
  }
  if (items.length === 0) note('none was found in these namespaces');
  if (omittedMore > 0) note(`${omittedMore} objects more are too many or too large, and not named`);
  if (heardAt === undefined) note('its agent has not told of them since this hub began: what was adopted stays in force');
  const unread = kinds.filter(({ problem, state }) => problem !== undefined || state === 'UNREAD');
  for (const { kind, problem } of unread)
    note(`${kind} cannot be read there; what was adopted stays in force: ${problem ?? 'not listed yet'}`);
}

function settingText({ mode = 'Off', namespaces = {} }: MemberPolicies): string {
  return [...Object.entries(namespaces).map(([namespace, one]) => `${namespace}=${one}`), `*=${mode}`].join(' ');
}

function columns(now: number): readonly Column<ClusterPolicy>[] {
  return [
    { title: 'NAMESPACE', cell: ({ namespace }) => namespace },
    { title: 'KIND', cell: ({ kind }) => kind },
    { title: 'NAME', cell: ({ name }) => name },
    { title: 'GENERATION', cell: ({ generation }) => (generation === 0 ? '' : String(generation)) },
    { title: 'STATE', cell: ({ state }) => state },
    { title: 'READY', cell: ({ ready }) => ready?.status ?? '' },
    { title: 'AGE', cell: ({ since }) => ageOf(since, now) },
    { title: 'WHY', cell: whyText },
  ];
}

function whyText({ reason, ready }: ClusterPolicy): string {
  if (reason !== '') return reason;
  return ready === undefined || ready.status === 'True' ? '' : ready.message;
}
