/** `hawser apply`: everything is read and checked first, then written in order, then waited for. */
import type { RolloutAnswer } from '@hawser/wire/hub-api.ts';
import type { HubClient } from '../client/hub-client.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { applyOrder } from '../manifest/apply-order.ts';
import type { Manifest, Problem } from '../manifest/manifest.ts';
import { applyMany, takenTogether } from './apply-many.ts';
import { type Applied, applyOne, type WriteOptions } from './apply-one.ts';
import { type ApplyResult, failedResult, problemsOf } from './apply-result.ts';
import { type WaitOptions, waitForRollouts } from './rollout-wait.ts';

/** How to apply. */
export interface ApplyOptions extends WriteOptions {
  /** Undefined: do not wait. */
  readonly wait?: WaitOptions | undefined;
  /** Called as soon as a resource was written or refused. */
  readonly onResult: (result: ApplyResult, problems: readonly Problem[], manifest: Manifest) => void;
}

/** What came of it. */
export interface ApplyOutcome {
  readonly results: readonly ApplyResult[];
  readonly exit: ExitCode;
  /** Connected clusters that had not answered when the time was over. */
  readonly waitingFor: readonly string[];
}

/** Writes the manifests. One that is refused does not keep the others from being written. */
export async function applyAll(hub: HubClient, manifests: readonly Manifest[], options: ApplyOptions): Promise<ApplyOutcome> {
  const results: ApplyResult[] = [];
  let mayBeTogether = true;
  for (let rest = applyOrder(manifests); rest.length > 0; ) {
    const batch = mayBeTogether ? takenTogether(rest) : [];
    const outcomes = await writeSome(hub, batch.length > 0 ? batch : rest.slice(0, 1), options);
    mayBeTogether &&= outcomes !== undefined;
    for (const [index, manifest] of rest.slice(0, outcomes?.length ?? 0).entries()) {
      const [result, problems] = resultOf(manifest, outcomes?.[index]);
      results.push(result);
      options.onResult(result, problems, manifest);
    }
    rest = rest.slice(outcomes?.length ?? 0);
  }
  const failed = results.some(({ action }) => action === 'failed');
  if (options.wait === undefined || options.dryRun) return { results, exit: failed ? EXIT.failed : EXIT.done, waitingFor: [] };
  return withRollouts(hub, results, options.wait);
}

/** What became of each, an error where it was not written; undefined when the hub does not take so many together. */
async function writeSome(hub: HubClient, manifests: readonly Manifest[], options: WriteOptions): Promise<readonly unknown[] | undefined> {
  const [only] = manifests;
  try {
    if (manifests.length > 1 || only === undefined) return await applyMany(hub, manifests, options);
    return [await applyOne(hub, only, options)];
  } catch (error) {
    return manifests.map(() => error);
  }
}

function resultOf(manifest: Manifest, outcome: unknown): [ApplyResult, readonly Problem[]] {
  const { kind, metadata } = manifest.resource;
  if (isApplied(outcome)) return [{ kind, namespace: metadata.namespace ?? '', name: metadata.name, ...outcome }, []];
  const problems = problemsOf(manifest, outcome);
  return [failedResult(manifest, problems), problems];
}

function isApplied(outcome: unknown): outcome is Applied {
  return typeof outcome === 'object' && outcome !== null && 'action' in outcome;
}

/** Waits for what was written and adds each resource's account. What is unchanged concerns no proxy; what is unknown gets no account. */
async function withRollouts(hub: HubClient, results: readonly ApplyResult[], wait: WaitOptions): Promise<ApplyOutcome> {
  const written = results.filter(isWritten);
  const rollouts = await waitForRollouts(
    hub,
    written.map(({ revision }) => revision),
    wait,
  );
  const complete = results.map((result): ApplyResult => {
    if (!isWritten(result)) return { ...result, proxies: { expected: 0, acked: 0, nacked: 0 }, nacks: [], durationMs: 0 };
    const answer = rollouts.get(result.revision);
    return answer === undefined ? result : { ...result, ...accountOf(result, answer) };
  });
  const answers = written.map(({ revision }) => rollouts.get(revision));
  const waitingFor = [...new Set(answers.flatMap((answer) => (answer?.complete === false ? answer.waitingFor : [])))].sort();
  const allComplete = answers.every((answer) => answer?.complete === true);
  return { results: complete, exit: exitOf(complete, allComplete), waitingFor };
}

/** What proxies refused because of another policy, which came to them together with this one, is not this one's refusal. */
function accountOf({ kind, namespace, name }: ApplyResult, answer: RolloutAnswer): Pick<ApplyResult, 'proxies' | 'nacks' | 'durationMs'> {
  const nacks = answer.nacks.filter(({ policy }) => policy === undefined || policy === `${kind}/${namespace}/${name}`);
  const nacked = new Set(nacks.map(({ cluster, proxy }) => `${cluster}/${proxy}`)).size;
  const { expected, acked, nacked: all } = answer.proxies;
  return { proxies: { expected, acked: acked + all - nacked, nacked }, nacks, durationMs: answer.durationMs };
}

function isWritten({ action }: ApplyResult): boolean {
  return action === 'created' || action === 'configured';
}

function exitOf(results: readonly ApplyResult[], allComplete: boolean): ExitCode {
  if (results.some(({ action }) => action === 'failed')) return EXIT.failed;
  if (results.some(({ nacks }) => nacks !== undefined && nacks.length > 0)) return EXIT.nacked;
  return allComplete ? EXIT.done : EXIT.timedOut;
}
