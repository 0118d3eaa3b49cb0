/** `hawser wait`: until a condition holds, or the resource is gone. */
import type { Resource } from '@hawser/model/resource.ts';
import { AppError } from '@hawser/runtime/app-error.ts';
import { resourcePath } from '../client/resource-path.ts';
import { connectHub, type GlobalFlags } from '../commands/connect-hub.ts';
import { durationFlag } from '../commands/duration-flag.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { note, print } from '../output/print.ts';
import { followResources } from './follow-resources.ts';
import { kindAndName } from './kind-argument.ts';
import { conditionsOf } from './kind-columns.ts';

/** Flags of `wait`. */
export interface WaitFlags extends GlobalFlags {
  readonly for: string;
  readonly namespace?: string;
  readonly timeout: string;
}

/** Runs the command: 0 when it has come, 4 when the time is over, 1 when there is nothing to wait for. */
export async function waitCommand(kindWord: string, nameWord: string | undefined, flags: WaitFlags): Promise<ExitCode> {
  const { kind, name } = kindAndName(kindWord, nameWord);
  if (name === undefined) throw new AppError('usage', `wait for which one? hawser wait ${kindWord} NAME --for=${flags.for}`);
  const wanted = wantedOf(flags.for);
  const timeout = AbortSignal.timeout(Math.max(1, durationFlag('--timeout', flags.timeout)));
  const hub = connectHub(flags);
  const namespace = kind.namespaced ? (flags.namespace ?? 'default') : undefined;
  const title = `${kind.kind.toLowerCase()}/${name}`;
  const first = (await hub.find(resourcePath({ kind, namespace, name }))) as Resource | undefined;
  if (first === undefined && wanted !== 'delete') {
    note(`${title} does not exist`);
    return EXIT.failed;
  }
  if (first === undefined || holds(first, wanted)) return done(title, flags.for);
  let last = first;
  const stop = new AbortController();
  const signal = AbortSignal.any([timeout, stop.signal]);
  // What was seen is known from here on, so that its end is told of even if it comes before the watch begins.
  for await (const { type, resource } of followResources(hub, { kind, namespace, name, seen: [first] }, signal)) {
    last = resource;
    if (type !== 'DELETED' && !holds(resource, wanted)) continue;
    stop.abort();
    if (wanted === 'delete' || type !== 'DELETED') return done(title, flags.for);
    note(`${title} was deleted`);
    return EXIT.failed;
  }
  note(`${title}: not in ${flags.timeout}${wanted === 'delete' ? '' : `; ${stateOf(last, wanted.type)}`}`);
  return EXIT.timedOut;
}

type Wanted = 'delete' | { readonly type: string; readonly status: string };

function holds(resource: Resource, wanted: Wanted): boolean {
  return wanted !== 'delete' && conditionIn(resource, wanted.type)?.status.toLowerCase() === wanted.status.toLowerCase();
}

function conditionIn(resource: Resource, type: string) {
  return conditionsOf(resource).find((condition) => condition.type.toLowerCase() === type.toLowerCase());
}

function stateOf(resource: Resource, type: string): string {
  const found = conditionIn(resource, type);
  return found === undefined ? `it has no condition ${type}` : `${found.type} is ${found.status}: ${found.message}`;
}

function done(title: string, what: string): ExitCode {
  print(what === 'delete' ? `${title} deleted` : `${title} condition met`);
  return EXIT.done;
}

/** `condition=TYPE[=STATUS]` or `delete`. */
function wantedOf(text: string): Wanted {
  if (text === 'delete') return 'delete';
  const [, type, status] = /^condition=([A-Za-z]+)(?:=(True|False|Unknown))?$/i.exec(text) ?? [];
  if (type === undefined) throw new AppError('usage', `--for ${text}: say condition=TYPE, condition=TYPE=False, or delete`);
  return { type, status: status ?? 'True' };
}
