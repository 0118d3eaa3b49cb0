/** A new version takes over in steps under traffic; another turns bad at half of it, and is taken back by a check. */
import { setTimeout as wait } from 'node:timers/promises';
import type { Resource } from '@hawser/model/resource.ts';
import type { ShiftStatus } from '@hawser/wire/shift.ts';
import { mustRun } from '../../deploy/demo/cli.ts';
import type { FigureBook } from '../../deploy/demo/figures.ts';
import { failed, type LoadEntry, sharesBy, splitError } from '../../deploy/demo/load-log.ts';
import { startLoad } from '../../deploy/demo/load-run.ts';
import { signalGroup } from '../../deploy/demo/processes.ts';
import { NAMESPACE } from '../../deploy/demo/topology.ts';
import { waitFor } from '../../deploy/demo/wait.ts';
import type { Bench } from './bench.ts';
import { type Federation, inFederation } from './federation.ts';
import { ask } from './kept-alive.ts';
import { MEASURING_BARS, measure as measureCounting } from './measuring.ts';

const CLIENT = 'us-east';
const SERVERS = 'us-west';
const PER_SECOND = 200;
/** Of each step, at a rate of their own. */
const COUNTED = 20_000;
const COUNTED_PER_SECOND = 500;
const STEPS = [10, 25, 50, 75] as const;
const PATH = `/apis/hawser.dev/v1alpha1/namespaces/${NAMESPACE}/trafficshifts`;

const RULE = {
  apiVersion: 'networking.istio.io/v1',
  kind: 'DestinationRule',
  metadata: { namespace: NAMESPACE, name: 'reviews' },
  spec: { host: 'reviews', subsets: ['v1', 'v2'].map((name) => ({ name, labels: { version: name } })) },
};

/** The benchmark. */
export const shift: Bench = {
  name: 'shift',
  title: `a version takes over in steps at ${PER_SECOND} requests/s; one that turns bad at 50 % is taken back`,
  bars: {
    shift_failed: { max: 0, samples: 5_000 },
    step_error: { max: 1.5, samples: COUNTED * STEPS.length },
    rollback_ms: { max: 2_000, samples: 3 },
    ...MEASURING_BARS,
  },
  run: async (book) => {
    const plan = { [CLIENT]: ['client-v1'], [SERVERS]: ['reviews-v1', 'reviews-v2'] };
    await inFederation({ plan }, (federation) => measure(federation, book));
    await measureCounting(book);
  },
};

async function measure(federation: Federation, book: FigureBook): Promise<void> {
  const { fleet, cli, say } = federation;
  await mustRun(cli, ['apply', '-f', '-', '--wait'], JSON.stringify(RULE));
  const load = startLoad(fleet, { name: 'shift', from: CLIENT, service: 'reviews', path: '/ping', rate: PER_SECOND, postEvery: 0 });
  const errors = await wholeShift(federation);
  const entries = await load.stop();
  const rollbacks: RolledBack[] = [];
  for (let round = 1; round <= 3; round += 1) rollbacks.push(await rolledBack(federation, round));
  // What the bad version itself answered is its badness; everything else that failed was lost by the shift.
  const lost = [...entries, ...rollbacks.flatMap((one) => one.entries)].filter((one) => failed(one) && one.version !== 'v2');
  const sent = entries.length + rollbacks.reduce((sum, one) => sum + one.entries.length, 0);
  for (const entry of lost.slice(0, 5)) say.warn(`failed: ${JSON.stringify(entry)}`);
  book.note('shift_failed', { value: lost.length, unit: 'requests', samples: sent }, lost);
  const worst = Math.max(...errors.map(({ error }) => error));
  book.note('step_error', { value: worst, unit: 'percentage points', samples: COUNTED * errors.length }, errors);
  const slowest = Math.max(...rollbacks.map(({ ms }) => ms));
  book.note(
    'rollback_ms',
    { value: slowest, unit: 'ms', samples: rollbacks.length },
    rollbacks.map(({ ms }) => ({ ms })),
  );
}

interface StepError {
  readonly percent: number;
  readonly error: number;
}

/** 0 to 100 in steps; at each one as many requests are counted as the figure asks for. */
async function wholeShift(federation: Federation): Promise<StepError[]> {
  const { fleet, hub, say } = federation;
  const steps = STEPS.flatMap((percent) => [{ setWeights: { stable: 100 - percent, canary: percent } }, { pause: {} }]);
  await ask({
    method: 'POST',
    url: `${hub.url}${PATH}`,
    token: hub.token,
    body: shiftOf('whole', { steps: [...steps, { setWeights: { canary: 100 } }] }),
  });
  const errors: StepError[] = [];
  for (const [index, percent] of STEPS.entries()) {
    await phaseOf(federation, 'whole', (status) => status.phase === 'Paused' && status.stepIndex === 2 * index + 1);
    const options = { from: CLIENT, service: 'reviews', path: '/ping', rate: COUNTED_PER_SECOND, postEvery: 0, count: COUNTED };
    const counted = startLoad(fleet, { name: `step-${percent}`, ...options });
    await counted.ended;
    const asked = { v1: (100 - percent) / 100, v2: percent / 100 };
    errors.push({ percent, error: splitError(sharesBy(counted.entries(), 'version'), asked) });
    say.done(`${percent} %: ${errors.at(-1)?.error.toFixed(2)} percentage points off`);
    await ask({ method: 'POST', url: `${hub.url}${PATH}/whole/promote`, token: hub.token, body: {} });
  }
  await phaseOf(federation, 'whole', ({ phase }) => phase === 'Done');
  say.done('all of it goes to v2');
  await ask({ method: 'DELETE', url: `${hub.url}${PATH}/whole`, token: hub.token });
  return errors;
}

interface RolledBack {
  /** From the first request that the bad version answered badly to the last one that went to it. */
  readonly ms: number;
  readonly entries: readonly LoadEntry[];
}

/** Half of the requests go to a version that turns bad; a check takes them back. */
async function rolledBack(federation: Federation, round: number): Promise<RolledBack> {
  const { fleet, hub, say } = federation;
  const name = `bad-${round}`;
  const check = {
    name: 'errors',
    source: { hub: { metric: 'errorRatio', destination: { version: 'v2' } } },
    condition: 'result < 0.05',
    ...{ window: '2s', initialDelay: '0s', failureLimit: 0 },
  };
  const steps = [{ setWeights: { stable: 50, canary: 50 } }, { pause: {} }, { setWeights: { canary: 100 } }];
  const load = startLoad(fleet, { name, from: CLIENT, service: 'reviews', path: '/ping', rate: PER_SECOND, postEvery: 0 });
  await ask({ method: 'POST', url: `${hub.url}${PATH}`, token: hub.token, body: shiftOf(name, { steps, analysis: { checks: [check] } }) });
  await phaseOf(federation, name, ({ phase }) => phase === 'Paused');
  await wait(5_000);
  const [app] = fleet.named(`${SERVERS}-reviews-v2-app`);
  if (app === undefined) throw new Error('reviews-v2 does not run');
  signalGroup(app.record.pid, 'SIGUSR2');
  await phaseOf(federation, name, ({ phase }) => phase === 'RolledBack');
  await wait(2_000);
  const entries = await load.stop();
  signalGroup(app.record.pid, 'SIGUSR2');
  await ask({ method: 'DELETE', url: `${hub.url}${PATH}/${name}`, token: hub.token });
  const bad = entries.filter((one) => one.version === 'v2' && failed(one));
  const first = Math.min(...bad.map(({ t, ms }) => t + ms));
  const last = Math.max(...entries.filter(({ version }) => version === 'v2').map(({ t }) => t));
  say.done(`round ${round}: ${bad.length} requests were answered badly; weights were back ${(last - first).toFixed(0)} ms after the first`);
  return { ms: last - first, entries };
}

function shiftOf(name: string, spec: object): object {
  const destinations = [
    { name: 'stable', subset: 'v1' },
    { name: 'canary', subset: 'v2' },
  ];
  const advance = { observed: { tolerancePercent: 5, window: '10s', minRequests: 200 } };
  return {
    apiVersion: 'hawser.dev/v1alpha1',
    kind: 'TrafficShift',
    metadata: { namespace: NAMESPACE, name },
    spec: { services: ['reviews'], destinations, advance, ...spec },
  };
}

/** Waits until the shift is where it shall be. */
async function phaseOf({ hub }: Federation, name: string, is: (status: ShiftStatus) => boolean): Promise<void> {
  let last: ShiftStatus | undefined;
  const look = async (): Promise<true | undefined> => {
    const answer = await ask({ url: `${hub.url}${PATH}/${name}`, token: hub.token });
    last = (JSON.parse(answer) as Resource<unknown, ShiftStatus>).status;
    return last !== undefined && is(last) ? true : undefined;
  };
  await waitFor(`shift ${name} does not come on`, look, {
    timeoutMs: 120_000,
    hopeless: () => (last?.phase === 'Failed' ? JSON.stringify(last) : undefined),
  });
}
