/** How policies meet the proxies: trials of what proxies refuse, and answers about what is only proposed. */
import type { Logger } from '@hawser/runtime/logger.ts';
import type { ControlLoop } from './control-loop.ts';
import { PolicyDiff } from './diff/policy-diff.ts';
import { PolicyTrials } from './policy-trials.ts';
import type { ProxyRegistry } from './proxy-registry.ts';
import type { RolloutTracker } from './report/rollout-tracker.ts';
import type { Federation } from './state/federation.ts';
import type { PolicyProbation } from './state/policy-probation.ts';
import type { AdsServer } from './xds/ads-server.ts';
import type { ProxyStream } from './xds/proxy-stream.ts';

/** What it joins. */
export interface PolicyServingParts {
  readonly server: AdsServer;
  readonly loop: ControlLoop;
  readonly log: Logger;
}

/** Follows the proxies' answers; to be called before the rollouts are tracked, which wait for what comes of a trial. */
export function followTrials(
  { server, loop, log }: PolicyServingParts,
  probation: PolicyProbation,
  on: { readonly rollouts: () => RolloutTracker<ProxyStream> | undefined; readonly changed: () => void },
): PolicyTrials<ProxyStream> {
  return new PolicyTrials({
    ...{ probation, streams: server.streams, recompile: () => loop.reconsider() },
    onVerdict: (refused, nacks) => {
      // A moment that came during the trial is accounted for now.
      loop.run();
      for (const { key, revision, refusal } of refused) {
        log.warn({ policy: key, ...refusal }, 'a proxy refuses what a policy makes: it is held back');
        on.rollouts()?.blame(revision, key, nacks);
      }
      on.rollouts()?.recheck();
      on.changed();
    },
  });
}

/** Answers what proposed policies would change here. */
export function policyDiff({ server, loop }: PolicyServingParts, federation: Federation, proxies: ProxyRegistry): PolicyDiff {
  return new PolicyDiff({
    world: () => federation.world(),
    moment: () => loop.moment,
    ready: () => loop.ready,
    refs: () => proxies.refs(),
    seenBy: (change) => [...server.streams.affected({ generation: 0, changes: [change] }).keys()].map((stream) => stream.proxy.name),
  });
}
