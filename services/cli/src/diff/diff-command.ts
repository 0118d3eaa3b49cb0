/** `hawser diff -f`: what `apply` (or `delete`) would change, in the resources' own terms and in Envoy's. Changes nothing. */
import { messageOf } from '@hawser/runtime/app-error.ts';
import type { DiffAnswer, DiffBody } from '@hawser/wire/hub-api.ts';
import { problemText } from '../apply/apply-result.ts';
import { connectHub, type GlobalFlags } from '../commands/connect-hub.ts';
import { loadManifests } from '../manifest/load-manifests.ts';
import { note, print, printJson } from '../output/print.ts';
import { terminal } from '../output/terminal.ts';
import { diffLines } from './diff-lines.ts';

/** Flags of `diff`. */
export interface DiffFlags extends GlobalFlags {
  readonly filename: string[];
  readonly namespace?: string;
  readonly delete?: boolean;
  readonly envoy?: boolean;
  readonly cluster?: string[];
  readonly output?: 'json' | 'table';
}

/** Exit codes of their own (DESIGN.md section 2): as those of diff(1). */
const EXIT = { same: 0, different: 1, failed: 2 } as const;
/** The hub answers within 30 s. */
const TIMEOUT_MS = 35_000;

/** Runs the command. Whatever keeps the answer from being whole is exit code 2. */
export async function diffCommand(flags: DiffFlags): Promise<number> {
  try {
    const body = await bodyOf(flags);
    if (body === undefined) return EXIT.failed;
    const answer = (await connectHub(flags).send({ method: 'POST', path: '/hawser/v1/diff', body, timeoutMs: TIMEOUT_MS })) as DiffAnswer;
    show(answer, flags);
    const isWhole =
      answer.resources.every(({ action }) => action !== 'refused') && answer.clusters.every(({ state }) => state === 'answered');
    return isWhole ? (answer.different ? EXIT.different : EXIT.same) : EXIT.failed;
  } catch (error) {
    note(`hawser: ${messageOf(error)}`);
    return EXIT.failed;
  }
}

async function bodyOf(flags: DiffFlags): Promise<DiffBody | undefined> {
  const { manifests, problems } = await loadManifests(flags.filename, flags.namespace ?? 'default');
  terminal().stderr.write(problemText(problems));
  if (problems.length > 0) return undefined;
  if (manifests.length === 0) throw new Error(`${flags.filename.join(', ')}: there is no resource in it`);
  const how = {
    envoy: flags.envoy === true || flags.cluster !== undefined,
    ...(flags.cluster === undefined ? {} : { clusters: flags.cluster }),
  };
  if (flags.delete !== true) return { ...how, resources: manifests.map(({ resource }) => resource) };
  const gone = manifests.map(({ resource: { kind, metadata } }) => ({
    ...{ kind, name: metadata.name },
    ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
  }));
  return { ...how, delete: gone };
}

function show(answer: DiffAnswer, flags: DiffFlags): void {
  if (flags.output === 'json') {
    printJson(answer);
    return;
  }
  const isColoured = terminal().stdout.isTTY === true && terminal().env['NO_COLOR'] === undefined;
  for (const line of diffLines(answer, isColoured)) print(line);
  for (const { kind, namespace, name, error } of answer.resources) {
    if (error !== undefined) note(`${kind} ${namespace === '' ? '' : `${namespace}/`}${name} would be refused: ${error.message}`);
  }
  for (const { cluster, state, reason, problems, notes = [] } of answer.clusters) {
    if (state === 'unknown') note(`${cluster} did not say what it would change: ${reason}`);
    for (const text of [...notes, ...problems]) note(`${cluster}: ${text}`);
  }
}
