/** Evidence of a region that was lost for a minute and a half, as a real run leaves it: for tests of reports. */
import type { DrillEvidence } from './drill-evidence.ts';
import { digestOf } from './drill-report.ts';

const BEGIN = Date.parse('2026-03-10T09:00:00.000Z');
const SERVICES = ['bookinfo/productpage', 'bookinfo/reviews', 'bookinfo/details'];
const CLUSTERS = ['us-east', 'us-west', 'eu-west'];
/** Seconds after the request at which the phases begin. */
const AT = { preflight: 42, injecting: 57, holding: 60, restoring: 132, done: 150 };
const SECONDS = AT.done - AT.preflight;

const spec = {
  scenario: { type: 'regionLoss', from: { region: 'us-east' }, fault: 'refuse' },
  mode: 'live',
  objectives: { rto: '1s', maxErrorRatePercent: 0.1 },
  blastRadius: { services: SERVICES, minRemainingRegions: 1 },
  approvals: { required: 1, groups: ['approvers'] },
  report: { retention: '9600h' },
};

/** The evidence, with these fields in place of its own. */
export function regionLossEvidence(changed: Partial<DrillEvidence> = {}): DrillEvidence {
  return {
    version: 1,
    ...{ run: 'us-east-loss-20260310-0900', drill: 'us-east-loss', trigger: 'manual', by: 'ana@example.org', mode: 'live' },
    reason: 'quarterly drill, change 4711',
    ...{ createdAt: instant(0), endedAt: instant(AT.done + 0.418), outcome: 'Passed' },
    why: 'callers of all regions were served again 412 ms after the first refusal; one request failed',
    scenario: { type: 'regionLoss', from: 'region us-east', fault: 'refuse', services: SERVICES },
    ...{ spec, specHash: digestOf(spec) },
    clusters: CLUSTERS.map((name) => ({ name, region: name, zone: '', inScope: name === 'us-east' })),
    objectives: [
      { name: 'rto', unit: 'ms', target: 1000, actual: 412, met: true },
      { name: 'propagation', unit: 'ms', target: 30_000, actual: 236, met: true },
      { name: 'errorRate', unit: '%', target: 0.1, actual: 0.004, met: true },
    ],
    phases: PHASES.map(([phase, from, to]) => ({ phase, from: instant(from), to: instant(to) })),
    timings: {
      ...{ decideMs: 41_280, propagateP50Ms: 88, propagateP99Ms: 236, injectMs: 61, detectMs: 190, recoverMs: 222, restoreMs: 17_120 },
      ...{ rtoMs: 412, rtoResolutionMs: 50 },
    },
    services: SERVICES.flatMap((service) => CLUSTERS.map((sourceCluster) => result(service, sourceCluster))),
    traffic: {
      from: instant(AT.preflight),
      stepMs: 1000,
      series: SERVICES.flatMap((one) => CLUSTERS.flatMap((from) => seriesOf(one, from))),
    },
    weights: weights(),
    checks: checks(),
    approvals: [{ by: 'li@example.org', at: instant(41.28), verdict: 'approved', comment: 'go, on-call is present' }],
    overrides: [{ rule: 'freeze/end-of-quarter', by: 'ana@example.org', at: instant(0) }],
    notes: [{ by: 'li@example.org', at: instant(80), text: 'dashboards of the shop show nothing: <b>as expected</b> & calm' }],
    timeline: timeline(),
    versions: {
      hub: '0.1.0',
      agents: CLUSTERS.map((cluster) => ({ cluster, version: '0.1.0' })),
      envoys: CLUSTERS.map((cluster) => ({ cluster, version: '1.37.0', proxies: 9 })),
    },
    ...changed,
  };
}

const PHASES = [
  ['Pending', 0, 0.12],
  ['AwaitingApproval', 0.12, 41.28],
  ['Preflight', 41.28, AT.injecting],
  ['Injecting', AT.injecting, AT.holding],
  ['Holding', AT.holding, AT.restoring],
  ['Restoring', AT.restoring, AT.done],
  ['Done', AT.done, AT.done + 0.418],
] as const;

function instant(seconds: number): string {
  return new Date(BEGIN + Math.round(seconds * 1000)).toISOString();
}

/** The same numbers each time, that look measured. */
function noise(index: number): number {
  const wave = Math.sin(index * 12.9898) * 43758.5453;
  return wave - Math.floor(wave) - 0.5;
}

/** Part of its requests that the region has at this second of the run. */
function shareOfLost(second: number): number {
  if (second < AT.injecting) return 1;
  if (second < AT.injecting + 1) return 0.35;
  if (second < AT.restoring + 4) return 0;
  return second < AT.restoring + 10 ? 0.1 : second < AT.restoring + 15 ? 0.5 : 1;
}

function seriesOf(service: string, source: string): DrillEvidence['traffic']['series'] {
  const rate = (service.endsWith('productpage') ? 30 : 18) + (source === 'us-east' ? 12 : 0);
  const seed = SERVICES.indexOf(service) * 100 + CLUSTERS.indexOf(source) * 1000;
  const seconds = Array.from({ length: SECONDS }, (_, index) => index);
  const own = (second: number): number =>
    Math.round((rate + noise(seed + second) * 5) * (source === 'us-east' ? shareOfLost(second + AT.preflight) : 1));
  const rest = (second: number): number =>
    source === 'us-east' ? Math.round((rate + noise(seed + second) * 5) * (1 - shareOfLost(second + AT.preflight))) : 0;
  const isKnown = (second: number): boolean => !(source === 'eu-west' && second === 71);
  const dealt = (count: (second: number) => number): (number | null)[] => seconds.map((second) => (isKnown(second) ? count(second) : null));
  const none = dealt(() => 0);
  const failed = dealt((second) => (source === 'us-east' && service.endsWith('reviews') && second === AT.injecting - AT.preflight ? 1 : 0));
  const local = { service, source, destination: source, requests: dealt(own), failed };
  return source === 'us-east' ? [local, { ...local, destination: 'us-west', requests: dealt(rest), failed: none }] : [local];
}

function result(service: string, sourceCluster: string): DrillEvidence['services'][number] {
  const series = seriesOf(service, sourceCluster);
  const sum = (pick: 'requests' | 'failed'): number => series.flatMap((one) => one[pick]).reduce<number>((all, one) => all + (one ?? 0), 0);
  const longestGapMs = sourceCluster === 'us-east' ? 388 : 62;
  return {
    service,
    sourceCluster,
    requests: sum('requests'),
    failed: sum('failed'),
    longestGapMs,
    unknownSeconds: sourceCluster === 'eu-west' ? 1 : 0,
  };
}

function weights(): DrillEvidence['weights'] {
  return Array.from({ length: SECONDS }, (_, index) => index + AT.preflight).flatMap((second) => {
    const desired = second >= AT.injecting && second < AT.restoring ? 0 : 42;
    const acked = second >= AT.injecting + 1 && second < AT.restoring + 1 ? 0 : 42;
    const observed = Math.round(42 * shareOfLost(second) * 10 + noise(second) * (shareOfLost(second) > 0 ? 20 : 0)) / 10;
    const of = { 'us-east': [desired, acked, observed], 'us-west': [71 - desired, 71 - acked, 71 - observed], 'eu-west': [29, 29, 29] };
    return CLUSTERS.map((cluster) => {
      const [wanted = null, accepted = null, seen = null] = of[cluster as keyof typeof of];
      return { at: instant(second), cluster, desired: wanted, acked: accepted, observed: second === 113 ? null : seen };
    });
  });
}

function checks(): DrillEvidence['checks'] {
  const samples = (value: (second: number) => number): DrillEvidence['checks'][number]['samples'] =>
    Array.from({ length: 20 }, (_, index) => AT.preflight + index * 5).map((second) => ({
      at: instant(second),
      outcome: 'passed',
      value: value(second),
    }));
  const common = { action: 'abort', verdict: 'passed', message: '' } as const;
  return [
    {
      ...{ ...common, name: 'errors', when: ['before', 'during', 'after'], role: 'guardrail', condition: 'result < 0.01' },
      samples: samples((second) => (second === AT.injecting ? 0.004 : Math.max(0, noise(second)) / 1000)),
    },
    {
      ...{ ...common, name: 'latency-p99', when: ['before', 'during', 'after'], role: 'steadyState', condition: 'result < 250.0' },
      samples: samples((second) => (second > AT.injecting && second < AT.restoring ? 96 : 24) + noise(second) * 9),
    },
    {
      ...{
        name: 'queue-depth',
        when: ['during'],
        role: 'guardrail',
        condition: 'result < 1000.0',
        action: 'record',
        verdict: 'inconclusive',
      },
      message: 'the query gave no data',
      samples: [{ at: instant(AT.holding), outcome: 'noData', value: null, message: 'the query gave no data' }],
    },
  ];
}

function timeline(): DrillEvidence['timeline'] {
  const entries: readonly (readonly [number, string, string])[] = [
    [0, 'requested', 'by ana@example.org: quarterly drill, change 4711'],
    [0.12, 'awaiting approval', '1 of approvers'],
    [41.28, 'approved', 'by li@example.org'],
    [41.9, 'readiness', 'headroom 46 % at us-west, 51 % at eu-west; 27 of 27 proxies in sync'],
    [AT.injecting, 'injecting', 'refuse at 9 proxies of us-east, 3 services'],
    [57.061, 'in force', 'first target proxy'],
    [57.236, 'acknowledged', '99 % of proxies'],
    [57.412, 'recovered', 'all callers are served; nothing observed in us-east'],
    [AT.holding, 'holding', '72 s'],
    [AT.restoring, 'restoring', 'fault lifted'],
    [AT.done, 'done', 'traffic as before'],
  ];
  return entries.map(([second, event, detail]) => ({ at: instant(second), event, detail }));
}
