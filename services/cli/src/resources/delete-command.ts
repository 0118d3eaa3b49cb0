/** `hawser delete`: by kind and name, or what files hold. */
import type { Resource } from '@hawser/model/resource.ts';
import { AppError } from '@hawser/runtime/app-error.ts';
import { addressOf } from '../apply/apply-one.ts';
import { problemsOf, problemText, refusalText } from '../apply/apply-result.ts';
import { progressLine } from '../apply/progress-line.ts';
import { waitForRollouts } from '../apply/rollout-wait.ts';
import type { HubClient } from '../client/hub-client.ts';
import { HubRefusal } from '../client/hub-refusal.ts';
import { type ResourceAddress, resourcePath } from '../client/resource-path.ts';
import { connectHub, type GlobalFlags } from '../commands/connect-hub.ts';
import { durationFlag } from '../commands/duration-flag.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { applyOrder } from '../manifest/apply-order.ts';
import { loadManifests } from '../manifest/load-manifests.ts';
import { note, print } from '../output/print.ts';
import { terminal } from '../output/terminal.ts';
import { kindAndName } from './kind-argument.ts';

/** Flags of `delete`. */
export interface DeleteFlags extends GlobalFlags {
  readonly filename?: string[];
  readonly namespace?: string;
  readonly ignoreNotFound?: boolean;
  readonly wait?: boolean;
  readonly timeout: string;
}

/** One resource to delete, and what to say when the hub refuses. */
interface Target {
  readonly address: ResourceAddress & { readonly name: string };
  readonly refused: (error: HubRefusal) => void;
}

/** Runs the command. One refusal does not keep the others from being deleted. */
export async function deleteCommand(kindWord: string | undefined, names: readonly string[], flags: DeleteFlags): Promise<ExitCode> {
  const timeoutMs = durationFlag('--timeout', flags.timeout);
  const targets = flags.filename === undefined ? namedTargets(kindWord, names, flags) : await fileTargets(flags.filename, flags);
  if (targets === undefined) return EXIT.failed;
  const hub = connectHub(flags);
  const revisions: number[] = [];
  let refusals = 0;
  for (const target of targets) {
    try {
      const revision = await deleteOne(hub, target.address, flags);
      if (revision !== undefined) revisions.push(revision);
    } catch (error) {
      if (!(error instanceof HubRefusal)) throw error;
      target.refused(error);
      refusals += 1;
    }
  }
  const waited = flags.wait === true ? await waitForAll(hub, revisions, timeoutMs) : EXIT.done;
  return refusals > 0 ? EXIT.failed : waited;
}

function namedTargets(kindWord: string | undefined, names: readonly string[], flags: DeleteFlags): Target[] {
  if (kindWord === undefined) throw new AppError('usage', 'say what to delete: hawser delete KIND NAME, or -f FILE');
  return (names.length === 0 ? [undefined] : names).map((word) => {
    const { kind, name } = kindAndName(kindWord, word);
    if (name === undefined) throw new AppError('usage', `which one? hawser delete ${kindWord} NAME`);
    return { address: { kind, namespace: flags.namespace ?? 'default', name }, refused: ({ message }) => note(message) };
  });
}

/** What refers to others goes first. Undefined when the files are not in order, which is said. */
async function fileTargets(files: readonly string[], flags: DeleteFlags): Promise<Target[] | undefined> {
  const { manifests, problems } = await loadManifests(files, flags.namespace ?? 'default');
  terminal().stderr.write(problemText(problems));
  if (problems.length > 0) return undefined;
  return applyOrder(manifests)
    .reverse()
    .map((manifest) => ({
      address: addressOf(manifest),
      refused: (error) => void terminal().stderr.write(problemText(problemsOf(manifest, error))),
    }));
}

/** Deletes one; resolves with the revision of the deletion, undefined when there was nothing. */
async function deleteOne(hub: HubClient, address: Target['address'], flags: DeleteFlags): Promise<number | undefined> {
  try {
    const deleted = (await hub.send({ method: 'DELETE', path: resourcePath(address) })) as Resource;
    print(`${address.kind.kind.toLowerCase()}/${address.name} deleted${address.kind.namespaced ? ` in ${address.namespace}` : ''}`);
    return Number(deleted.metadata.resourceVersion);
  } catch (error) {
    if (flags.ignoreNotFound === true && error instanceof HubRefusal && error.status === 404) return undefined;
    throw error;
  }
}

async function waitForAll(hub: HubClient, revisions: readonly number[], timeoutMs: number): Promise<ExitCode> {
  const progress = progressLine();
  const answers = await waitForRollouts(hub, revisions, { timeoutMs, progress: progress.show, lively: progress.lively });
  progress.end();
  for (const answer of answers.values()) {
    for (const nack of answer.nacks) note(refusalText(nack));
  }
  if ([...answers.values()].some(({ nacks }) => nacks.length > 0)) return EXIT.nacked;
  if (revisions.every((revision) => answers.get(revision)?.complete === true)) return EXIT.done;
  note('not acknowledged in time; it stays deleted: see "hawser proxy-status", or wait longer with --timeout');
  return EXIT.timedOut;
}
