/** Objects of our own kinds, for API servers: one that is right, and what may be made wrong of it. */

/** Of one kind. */
export interface CrdExample {
  readonly kind: string;
  /** Right; what the schema needs and little more. */
  readonly spec: object;
  /** Changes of the spec that make it wrong, and a part of what the API server says. */
  readonly wrong: readonly (readonly [change: object, says: string])[];
}

const ONE_OF_PLACE = 'must have exactly one of region, cluster';
const check = { name: 'errors', source: { hub: { metric: 'errorRatio' } }, condition: 'result < 0.01' };
const drill = {
  scenario: { type: 'regionLoss', from: { region: 'us-east' } },
  blastRadius: { services: { names: ['shop/cart'] } },
  objectives: { rto: '30s' },
};

/** Every kind of ours. */
export const CRD_EXAMPLES: readonly CrdExample[] = [
  {
    kind: 'Cluster',
    spec: { region: 'us-east', zone: 'a', exports: { namespaces: ['shop'] } },
    wrong: [
      [{ region: 'US East' }, 'spec.region'],
      [{ region: undefined }, 'spec.region'],
      [{ color: 'red' }, 'color'],
    ],
  },
  {
    kind: 'JoinToken',
    spec: { cluster: 'us-east', region: 'us-east', labels: { tier: 'gold' }, ttl: '10m' },
    wrong: [[{ ttl: 'soon' }, 'spec.ttl']],
  },
  {
    kind: 'TrustDomain',
    spec: {
      source: { type: 'external', endpoint: { url: 'https://a.example/bundle', profile: 'https_web' } },
      federatesWith: ['us-east.hawser'],
    },
    wrong: [
      [{ federatesWith: ['*', 'us-east.hawser'] }, '* is every trust domain'],
      [{ clusters: ['us-east'] }, 'an external trust domain has none'],
      [{ source: { type: 'external' } }, 'which needs one of them'],
      [{ source: { type: 'agent', bootstrapBundle: 'x' } }, 'are of type external'],
      [{ source: { type: 'external', endpoint: { url: 'https://a.example', profile: 'https_spiffe' } } }, 'which needs it'],
    ],
  },
  {
    kind: 'FailoverPolicy',
    spec: {
      ...{ services: ['reviews'], order: ['us-east', 'us-west'], capacity: { regions: { 'us-east': 100 } }, overflow: { at: 0.9 } },
      spill: [{ service: 'reviews', from: { region: 'us-east' }, percent: 10, to: [{ cluster: 'us-west', weight: 2 }] }],
    },
    wrong: [
      [{ order: [] }, 'spec.order'],
      [{ order: ['us-east', 'us-east'] }, 'spec.order'],
      [{ spillover: 'never' }, 'spec.spillover'],
      [{ capacity: undefined }, 'overflow needs capacity'],
      [{ capacity: { regions: { 'US East': 1 } } }, 'each key must match'],
      [{ overflow: { at: 0.5, returnBelow: 0.6 } }, 'returnBelow must not be above at'],
      [{ spill: [{ service: 'reviews', from: {}, percent: 10 }] }, ONE_OF_PLACE],
      [{ spill: [{ service: 'reviews', from: { region: 'x' }, percent: 10, to: [{ region: 'y', cluster: 'z' }] }] }, ONE_OF_PLACE],
    ],
  },
  {
    kind: 'TrafficShift',
    spec: { services: ['reviews'], regions: { 'us-east': 60, 'us-west': 40 } },
    wrong: [
      [{ regions: { 'us-east': 60, 'us-west': 41 } }, 'shares of regions must add up'],
      [{ subsets: { v1: 100 } }, 'must have exactly one of regions, clusters, subsets'],
      [{ steps: [{ pause: {} }] }, 'has destinations and steps'],
      [{ regions: undefined, subsets: { v1: 100 }, stickiness: {} }, 'must have exactly one of cookie, header'],
    ],
  },
  {
    kind: 'TrafficShift',
    spec: {
      ...{
        services: ['reviews'],
        destinations: [
          { name: 'stable', subset: 'v1' },
          { name: 'canary', subset: 'v2' },
        ],
      },
      ...{
        steps: [{ setWeights: { stable: 90, canary: 10 } }, { approval: {} }, { setWeights: { canary: 100 } }],
        analysis: { checks: [check] },
      },
    },
    wrong: [
      [{ steps: [{ pause: {}, approval: {} }] }, 'must have exactly one of setWeights'],
      [{ subsets: { v1: 100 } }, 'the steps say it'],
      [{ destinations: [{ name: 'stable' }, { name: 'canary', subset: 'v2' }] }, 'must have exactly one of region, cluster, subset'],
      [{ analysis: { checks: [{ ...check, source: {} }] } }, 'must have exactly one of prometheus, http, hub'],
    ],
  },
  {
    kind: 'Drain',
    spec: {
      scope: { region: 'us-east' },
      reason: 'maintenance',
      services: { namespaces: ['shop'] },
      destinations: [{ region: 'us-west' }],
    },
    wrong: [
      [{ scope: { region: 'us-east', cluster: 'a' } }, 'must have exactly one of region, cluster, zone, gateway'],
      [{ services: {} }, 'names nothing'],
      [{ destinations: [{ weight: 1 }] }, ONE_OF_PLACE],
      [{ waves: [{ name: 'first', selector: {} }] }, 'names nothing'],
      [{ panicMode: 'run' }, 'spec.panicMode'],
    ],
  },
  {
    kind: 'Drill',
    spec: drill,
    wrong: [
      [{ mode: 'live' }, 'guardrails are required of a live drill'],
      [{ scenario: { type: 'regionLoss' } }, 'from is required'],
      [{ scenario: { ...drill.scenario, from: { region: 'a', zone: 'a/b' } } }, 'must have exactly one of region, cluster, zone'],
      [{ scenario: { ...drill.scenario, delay: '2s' } }, 'delay is of fault delay'],
      [{ scenario: { type: 'hubLoss', fault: 'drop' } }, 'are of losses alone'],
      [{ plan: { steps: [{ percent: 100 }] } }, 'are of drains alone'],
      [{ blastRadius: { ...drill.blastRadius, exclude: {} } }, 'names nothing'],
    ],
  },
  {
    kind: 'DrillRun',
    spec: { drill: 'lose-us-east', trigger: 'manual', mode: 'dryRun', plan: drill },
    wrong: [
      [{ trigger: 'chance' }, 'spec.trigger'],
      [{ plan: { ...drill, scenario: { type: 'flood' } } }, 'spec.plan.scenario.type'],
    ],
  },
  { kind: 'Freeze', spec: { reason: 'the holidays', scope: { regions: ['us-east'] } }, wrong: [[{ scope: {} }, 'names nothing']] },
  {
    kind: 'SafetyRule',
    spec: { type: 'assertion', condition: 'size(remaining) >= 2', message: 'two regions must be left' },
    wrong: [
      [{ scope: {} }, 'names nothing'],
      [{ type: 'wish' }, 'spec.type'],
    ],
  },
  {
    kind: 'ExtensionProvider',
    spec: { zipkin: { service: 'zipkin.tracing', port: 9411 }, defaultFor: ['tracing'] },
    wrong: [
      [{ envoyFileAccessLog: {} }, 'must have exactly one of envoyFileAccessLog'],
      [{ zipkin: undefined }, 'must have exactly one of envoyFileAccessLog'],
      [{ zipkin: { service: 'zipkin.tracing', port: 0 } }, 'spec.zipkin.port'],
    ],
  },
];

/** The example with a change; what is undefined in it is left out. */
export function changed(spec: object, change: object): object {
  return Object.fromEntries(Object.entries({ ...spec, ...change }).filter(([, value]) => value !== undefined));
}
