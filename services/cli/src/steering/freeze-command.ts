/** `hawser freeze on|off|list`: when traffic is not moved. */
import type { FreezeSpec } from '@hawser/model/freeze.ts';
import { kindNamed } from '@hawser/model/kinds.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { AppError } from '@hawser/runtime/app-error.ts';
import { longSpan } from '../access/long-span.ts';
import { resourcePath } from '../client/resource-path.ts';
import { connectHub, type GlobalFlags } from '../commands/connect-hub.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { note, print, printJson } from '../output/print.ts';
import { tableLines } from '../output/table.ts';
import { kindColumns } from '../resources/kind-columns.ts';
import type { ViewFlags } from '../views/status-command.ts';

/** Flags of `freeze on`. */
export interface FreezeOnFlags extends GlobalFlags {
  readonly reason: string;
  readonly for?: string;
  readonly until?: string;
  readonly blocked?: string[];
  readonly allowed?: string[];
  readonly date?: string[];
  readonly timeZone?: string;
  readonly region?: string[];
  readonly cluster?: string[];
  readonly service?: string[];
  readonly namespace?: string[];
  readonly emergency: boolean;
}

/** Makes the freeze, or gives the one of that name these times. */
export async function freezeOnCommand(name: string, flags: FreezeOnFlags): Promise<ExitCode> {
  const spec = freezeSpec(flags, Date.now());
  const hub = connectHub(flags);
  const path = pathOf(name);
  const known = (await hub.find(path)) as Resource | undefined;
  const { apiVersion, kind } = { apiVersion: 'hawser.dev/v1alpha1', kind: 'Freeze' };
  const metadata = { name, ...known?.metadata };
  const written = known === undefined ? { method: 'POST', path: pathOf() } : { method: 'PUT', path };
  await hub.send({ ...(written as { method: 'POST' | 'PUT'; path: string }), body: { apiVersion, kind, metadata, spec } });
  print(`freeze/${name} ${known === undefined ? 'on' : 'changed'}${spec.until === undefined ? '' : ` until ${spec.until}`}`);
  return EXIT.done;
}

/** Ends it. */
export async function freezeOffCommand(name: string, flags: GlobalFlags): Promise<ExitCode> {
  await connectHub(flags).send({ method: 'DELETE', path: pathOf(name) });
  print(`freeze/${name} off`);
  return EXIT.done;
}

/** Lists them. */
export async function freezeListCommand(flags: ViewFlags): Promise<ExitCode> {
  const { items } = (await connectHub(flags).send({ path: pathOf() })) as { readonly items: readonly Resource[] };
  if (flags.output === 'json') printJson({ items });
  else if (items.length === 0) note('nothing is frozen: hawser freeze on NAME --reason TEXT');
  else for (const line of tableLines(kindColumns('Freeze', { namespaces: false, wide: false, now: Date.now() }), items)) print(line);
  return EXIT.done;
}

/** PURE: the spec that flags ask for; what is wrong with its times the hub says. */
export function freezeSpec(flags: Omit<FreezeOnFlags, keyof GlobalFlags>, now: number): FreezeSpec {
  if (flags.for !== undefined && flags.until !== undefined) throw new AppError('usage', 'give --for or --until, not both');
  const until = flags.for === undefined ? flags.until : new Date(now + longSpan('--for', flags.for)).toISOString();
  const windows = given({ allowed: flags.allowed, blocked: flags.blocked, dates: flags.date, timeZone: flags.timeZone });
  const scope = given({ regions: flags.region, clusters: flags.cluster, namespaces: flags.namespace, services: flags.service });
  return {
    reason: flags.reason,
    ...(until === undefined ? {} : { until }),
    ...(windows === undefined ? {} : { windows }),
    ...(scope === undefined ? {} : { scope }),
    ...(flags.emergency ? {} : { allowEmergency: false }),
  };
}

/** What of it is there; undefined when nothing is. */
function given<T extends object>(fields: T): { [Key in keyof T]?: NonNullable<T[Key]> } | undefined {
  const known = Object.entries(fields).filter(([, value]) => value !== undefined);
  return known.length === 0 ? undefined : (Object.fromEntries(known) as { [Key in keyof T]?: NonNullable<T[Key]> });
}

function pathOf(name?: string): string {
  const kind = kindNamed('Freeze');
  if (kind === undefined) throw new Error('there is no kind Freeze');
  return resourcePath({ kind, name });
}
