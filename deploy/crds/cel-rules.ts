/**
 * What the meaning of our kinds forbids and CEL can say (`validate-meaning.ts` has the rest: what needs a clock, an expression's parse or
 * other resources): by kind and by the place they stand at. An API server then refuses at once what the hub would refuse later. Pure.
 */
import { FOLLOWED, LOSSES, PARTITIONS } from '@hawser/model/drill.ts';
import { anyOf, type CelRule, exactlyOneOf } from './structural-schema.ts';

type Rules = Readonly<Record<string, readonly CelRule[]>>;

const target = [exactlyOneOf(['region', 'cluster'])];
const named = anyOf(['namespaces', 'names'], 'names nothing: name namespaces or services');
const steeringScope = [
  anyOf(['regions', 'clusters', 'namespaces', 'services', 'verbs'], 'names nothing: leave it out for all moves of traffic'),
];

/** The shares of a division add up. */
function sums(division: string): CelRule {
  return {
    rule: `!has(self.${division}) || self.${division}.map(name, self.${division}[name]).sum() == (has(self.totalWeight) ? self.totalWeight : 100)`,
    message: `the shares of ${division} must add up to totalWeight, 100 unless given`,
  };
}

const trafficShift: Rules = {
  spec: [
    { rule: 'has(self.steps) == has(self.destinations)', message: 'a shift in steps has destinations and steps' },
    {
      rule: 'has(self.steps) || [has(self.regions), has(self.clusters), has(self.subsets)].exists_one(given, given)',
      message: 'must have exactly one of regions, clusters, subsets',
    },
    {
      rule: '!has(self.steps) || ![has(self.regions), has(self.clusters), has(self.subsets), has(self.headerRoute), has(self.mirror)].exists(given, given)',
      message: 'regions, clusters, subsets, headerRoute and mirror are for shifts without steps: the steps say it',
    },
    ...['regions', 'clusters', 'subsets'].map(sums),
  ],
  'spec.stickiness': [exactlyOneOf(['cookie', 'header'])],
  'spec.headerRoute': [{ rule: 'size(self.match) > 0', message: 'match needs at least one header' }],
  'spec.destinations[]': [exactlyOneOf(['region', 'cluster', 'subset'])],
  'spec.steps[]': [exactlyOneOf(['setWeights', 'pause', 'approval', 'analysis', 'setHeaderRoute', 'setMirror'])],
};

const drain: Rules = {
  'spec.scope': [exactlyOneOf(['region', 'cluster', 'zone', 'gateway'])],
  'spec.services': [named],
  'spec.waves[].selector': [named],
  'spec.destinations[]': target,
};

const trustDomain: Rules = {
  spec: [
    {
      rule: "!has(self.clusters) || !has(self.source) || self.source.type != 'external'",
      message: 'clusters are members of the federation: an external trust domain has none',
    },
    {
      rule: "!has(self.federatesWith) || size(self.federatesWith) == 1 || !('*' in self.federatesWith)",
      message: 'federatesWith has * and names beside it: * is every trust domain',
    },
  ],
  'spec.source': [
    {
      rule: "self.type == 'external' ? has(self.endpoint) || has(self.bootstrapBundle) : !has(self.endpoint) && !has(self.bootstrapBundle)",
      message: 'endpoint and bootstrapBundle are of type external, which needs one of them',
    },
    {
      rule: "!has(self.endpoint) || self.endpoint.profile == 'https_web' || has(self.bootstrapBundle)",
      message: 'bootstrapBundle is required for the profile https_spiffe: the first answer is verified by it',
    },
  ],
  'spec.source.endpoint': [
    {
      rule: "has(self.endpointSpiffeId) == (self.profile == 'https_spiffe')",
      message: 'endpointSpiffeId is of the profile https_spiffe, which needs it',
    },
    { rule: "!has(self.caBundle) || self.profile == 'https_web'", message: 'caBundle is for the profile https_web' },
  ],
};

const isOneOf = (types: readonly string[]): string => `self.type in [${types.map((type) => `'${type}'`).join(', ')}]`;
const isLoss = isOneOf(LOSSES);
const fault = "(has(self.fault) ? self.fault : 'refuse')";

const drill: Rules = {
  spec: [
    {
      rule: "!has(self.mode) || self.mode != 'live' || has(self.guardrails)",
      message: 'guardrails are required of a live drill: say what ends it',
    },
    {
      rule: "!has(self.plan) || self.scenario.type == 'drain' || !has(self.plan.steps) && !has(self.plan.restoreSteps)",
      message: 'plan.steps and plan.restoreSteps are of drains alone',
    },
  ],
  'spec.scenario': [
    { rule: `has(self.from) || ${isOneOf([...PARTITIONS, ...FOLLOWED])}`, message: 'from is required: name what is lost' },
    { rule: "!has(self.to) || self.type == 'drain'", message: 'to is of drains alone' },
    { rule: "has(self.shift) == (self.type == 'trafficShift')", message: 'shift is of a trafficShift alone, which needs it' },
    { rule: "has(self.cluster) == (self.type == 'trustRotation')", message: 'cluster is of a trustRotation alone, which needs it' },
    { rule: "!has(self.authority) || self.type == 'trustRotation'", message: 'authority is of a trustRotation alone' },
    {
      rule: `${isLoss} || ![has(self.fault), has(self.delay), has(self.status), has(self.percent)].exists(given, given)`,
      message: 'fault, delay, status and percent are of losses alone',
    },
    { rule: `!has(self.delay) || ${fault} == 'delay'`, message: 'delay is of fault delay' },
    { rule: `!has(self.status) || ${fault} == 'error'`, message: 'status is of fault error' },
    { rule: `!has(self.percent) || ${fault} in ['delay', 'error']`, message: 'percent is of faults delay and error' },
  ],
  'spec.scenario.from': [exactlyOneOf(['region', 'cluster', 'zone'])],
  'spec.blastRadius.services': [named],
  'spec.blastRadius.exclude': [named],
};

const RULES: Readonly<Record<string, Rules>> = {
  FailoverPolicy: {
    spec: [{ rule: '!has(self.overflow) || has(self.capacity)', message: 'overflow needs capacity: what there is more than is not known' }],
    'spec.overflow': [
      { rule: '!has(self.returnBelow) || self.returnBelow <= (has(self.at) ? self.at : 0.9)', message: 'returnBelow must not be above at' },
    ],
    'spec.spill[].from': target,
    'spec.spill[].to[]': target,
  },
  TrafficShift: trafficShift,
  Drain: drain,
  TrustDomain: trustDomain,
  Drill: drill,
  Freeze: { 'spec.scope': steeringScope },
  SafetyRule: { 'spec.scope': steeringScope },
  ExtensionProvider: {
    spec: [exactlyOneOf(['envoyFileAccessLog', 'opentelemetry', 'zipkin', 'envoyExtAuthzHttp', 'envoyExtAuthzGrpc'])],
    'spec.envoyFileAccessLog.logFormat': [
      { rule: '!(has(self.text) && has(self.labels))', message: 'has text and labels, of which there can be one' },
    ],
  },
};

/** The rules of a kind, by the place they stand at; none for kinds whose schema says everything. */
export function celRules(kind: string): ReadonlyMap<string, readonly CelRule[]> {
  return new Map(Object.entries(RULES[kind] ?? {}));
}
