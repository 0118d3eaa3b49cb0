/**
 * An API server that is killed, restored, refuses, lies and falls silent, for real and behind a proxy that faults: not one endpoint is removed
 * that is there, what changes meanwhile is known afterwards, and what is wrong is said.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { API_FAULTS, type ApiFault } from '../kit/api-fault-proxy.ts';
import { FaultedSource } from '../kit/faulted-source.ts';
import { startKubeApiserver, type TestKubeApiserver } from '../kit/kube-apiserver.ts';
import { BUILD_MS, canRunKubernetes } from '../kit/kube-apiserver-binary.ts';
import { applyDefinitions } from '../kit/kube-definitions.ts';
import { SEED } from '../kit/random-histories.ts';
import { eventually } from '../kit/served.ts';
import { Random } from '../simulation/random.ts';

/** 300 endpoints. */
const SERVICES = 30;
const STEPS = 12;

describe.skipIf(!canRunKubernetes())(`the source of an agent whose API server faults (HAWSER_SEED=${SEED})`, () => {
  const random = new Random(SEED);
  let kube: TestKubeApiserver;
  let source: FaultedSource;

  beforeAll(async () => {
    kube = await startKubeApiserver();
    await applyDefinitions(kube.admin, ['multicluster.x-k8s.io']);
    source = await FaultedSource.start(kube, { services: SERVICES, random });
  }, BUILD_MS);
  afterAll(async () => {
    await source?.stop();
    await kube?.stop();
  });

  const says = (pattern: RegExp): Promise<void> =>
    eventually(
      () => source.warnings.some((one) => pattern.test(one)),
      () => `says nothing of ${pattern}: ${JSON.stringify(source.warnings)}`,
    );
  /** What changed meanwhile, and what changes from now on, is known, and nothing else went. */
  const recovers = async (): Promise<void> => {
    await source.endpoints.change();
    await source.converged();
    expect(source.falselyRemoved).toEqual([]);
  };

  const faults: Record<ApiFault, RegExp> = {
    cut: /^the API server https:\/\/127.0.0.1:\d+: .*; everything it held is kept until it can be read again$/,
    busy: /TooManyRequests.*; everything it held is kept/,
    broken: /InternalError.*; everything it held is kept/,
    lost: /the URL has to be that of an API server/,
    page: /is no JSON/,
    garbage: /is no JSON|an event that is none/,
    truncated: /is no JSON/,
    empty: /is no JSON/,
    hollow: /the answer is no \w+List/,
    frozen: /no answer to .* within 2 s/,
    trickle: /no answer to .* within 2 s/,
    older: /the list is of version \d+, older than \d+, which was heard of before; if the API server was restored/,
  };
  test.each(API_FAULTS)('%s', async (fault) => {
    source.proxy.set(fault);
    if (['frozen', 'trickle'].includes(fault)) source.proxy.cutWatches();
    await source.endpoints.change();
    await says(faults[fault]);
    await source.endpoints.change();
    source.proxy.set(undefined);
    await recovers();
  });

  test('rights that are withdrawn and given back', async () => {
    const giveBack = await source.withdrawRights();
    await source.endpoints.change();
    await says(
      /is forbidden: .*hawser-agent.* cannot (list|watch) resource .*: upgrade the chart hawser-agent, or apply deploy\/kubernetes\/agent-rbac.yaml/,
    );
    await giveBack();
    await recovers();
  });

  test('any of it, by chance', async () => {
    for (let step = 0; step < STEPS; step += 1) {
      source.proxy.set(random.chance(0.2) ? undefined : random.pick(API_FAULTS));
      if (random.chance(0.3)) source.proxy.cutWatches();
      for (let changes = random.between(0, 3); changes > 0; changes -= 1) await source.endpoints.change();
      await wait(random.between(50, 700));
    }
    source.proxy.set(undefined);
    await recovers();
  });

  test('killed, its etcd compacted, and the service account made anew', async () => {
    const renew = await source.revokeToken();
    await source.endpoints.change();
    await kube.compact();
    await says(/Unauthorized; the token of the agent is good no longer/);
    await renew();
    await recovers();
  });

  test('restored from a backup: its revision goes back', async () => {
    const restore = await kube.etcd.backup();
    const asItWas = source.endpoints.remembered();
    for (let changes = 0; changes < 5; changes += 1) await source.endpoints.change();
    await source.converged();
    await kube.kill();
    await restore();
    asItWas();
    await kube.restart();
    await says(/older than/);
    expect(source.falselyRemoved).toEqual([]);
    source.believeRestoredAfter(1_000);
    await recovers();
  });
});
