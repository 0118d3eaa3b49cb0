/** What a TrafficShift among subsets makes of the rules that lead to its service. Pure. */
import type { VirtualServiceHttp, VirtualServiceMatch } from '@hawser/model/istio/specs.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { hostKey } from '@hawser/model/service-host.ts';
import type { Stickiness, TrafficShiftSpec } from '@hawser/model/traffic-shift.ts';
import type { ServiceLookup } from './destinations.ts';

type Shift = Resource<TrafficShiftSpec>;
type RouteSpec = NonNullable<VirtualServiceHttp['route']>[number];

/** One of the rules that take the place of one: it is for requests that all of its further matches are for as well. */
export interface SplitRule {
  readonly rule: VirtualServiceHttp;
  readonly within: readonly VirtualServiceMatch[];
  /** The shift that made it, and the field that did; undefined: the rule as it is written. */
  readonly by?: { readonly shift: Shift; readonly field: string };
  /** Of a header route. */
  readonly name?: string;
  readonly stickiness?: Stickiness | undefined;
}

/** How destinations are found. */
export interface SplitContext {
  /** Namespace of the rule. */
  readonly namespace: string;
  readonly lookup: ServiceLookup;
}

/**
 * The rules in the place of one, in the order in which they are tried: first the requests of a header route, then those that the
 * shift divides, then those that it is not for. The rule alone when none of its destinations is shifted. A rule that selects
 * requests by who sends them and leads them to one subset stays: it is for testers.
 */
export function splitRules(rule: VirtualServiceHttp, match: VirtualServiceMatch, context: SplitContext): readonly SplitRule[] {
  const services = new Set((rule.route ?? []).map(({ destination }) => keyOf(destination.host, context)));
  return [...services].reduce<readonly SplitRule[]>(
    (rules, key) => rules.flatMap((one) => splitFor(one, key, { ...context, match })),
    [{ rule, within: [] }],
  );
}

/** The rule of a service that no VirtualService is for. */
export function wholeRule(host: string, port: number): VirtualServiceHttp {
  return { route: [{ destination: { host, port: { number: port } } }] };
}

function keyOf(host: string, { namespace }: SplitContext): string | undefined {
  return hostKey(host, namespace);
}

function splitFor(one: SplitRule, key: string | undefined, context: SplitContext & { match: VirtualServiceMatch }): readonly SplitRule[] {
  const shift = key === undefined ? undefined : context.lookup(key)?.policies.split;
  if (shift === undefined) return [one];
  const isShifted = ({ destination }: RouteSpec): boolean =>
    keyOf(destination.host, context) === key &&
    (isWhole(destination.subset) || Object.hasOwn(shift.spec.subsets ?? {}, destination.subset ?? ''));
  const shifted = (one.rule.route ?? []).filter(isShifted);
  if (shifted.length === 0 || (isSelecting(context.match) && isPinned(shifted))) return [one];
  const { headerRoute, match, stickiness, subsets = {} } = shift.spec;
  const divide = (shares: Readonly<Record<string, number>>): VirtualServiceHttp => divided(one.rule, isShifted, shares);
  const mirrored = withMirror(divide(subsets), shift, shifted);
  const split = (within: readonly VirtualServiceMatch[], field: string): SplitRule => ({
    ...{ rule: mirrored, within: [...one.within, ...within], by: { shift, field }, stickiness },
  });
  const testers = headerRoute === undefined ? [] : [{ rule: divide({ [headerRoute.destination]: 1 }), headerRoute }];
  return [
    ...testers.map(({ rule, headerRoute: { name, match: headers } }) => ({
      ...{ rule, name, within: [...one.within, { headers }], by: { shift, field: 'spec.headerRoute' } },
    })),
    ...(match === undefined
      ? [split([], 'spec.subsets')]
      : [...match.map((requests, index) => split([requests], `spec.match[${index}]`)), one]),
  ];
}

function isWhole(subset: string | undefined): boolean {
  return subset === undefined || subset === '';
}

/** Whether a match chooses by who sends a request, rather than by what it is for. */
function isSelecting({ headers, withoutHeaders, queryParams, sourceLabels, sourceNamespace }: VirtualServiceMatch): boolean {
  return [headers, withoutHeaders, queryParams, sourceLabels].some((map) => Object.keys(map ?? {}).length > 0) || !isWhole(sourceNamespace);
}

function isPinned(shifted: readonly RouteSpec[]): boolean {
  const subsets = new Set(shifted.map(({ destination }) => destination.subset ?? ''));
  return subsets.size === 1 && !subsets.has('');
}

/** The rule with the weight of the shifted destinations divided by shares. The sum of weights depends on no share: callers keep their side. */
function divided(
  rule: VirtualServiceHttp,
  isShifted: (route: RouteSpec) => boolean,
  shares: Readonly<Record<string, number>>,
): VirtualServiceHttp {
  const route = rule.route ?? [];
  const weightOf = ({ weight }: RouteSpec): number => weight ?? (route.length === 1 ? 100 : 0);
  const shifted = route.filter(isShifted);
  const others = route.filter((one) => !isShifted(one));
  const weight = shifted.reduce((sum, one) => sum + weightOf(one), 0);
  const isAlone = others.length === 0;
  const parts = Object.entries(shares)
    .filter(([, share]) => share > 0)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const total = parts.reduce((sum, [, share]) => sum + share, 0);
  const toSubsets = parts.flatMap(([subset, share]): RouteSpec[] => {
    const base = shifted.find(({ destination }) => destination.subset === subset) ?? shifted.find(isUnnamed) ?? shifted[0];
    if (base === undefined) return [];
    return [{ ...base, destination: { ...base.destination, subset }, weight: isAlone ? share : weight * share }];
  });
  const scaled = others.map((one) => ({ ...one, weight: weightOf(one) * total }));
  return { ...rule, route: [...toSubsets, ...scaled] };
}

function isUnnamed({ destination }: RouteSpec): boolean {
  return isWhole(destination.subset);
}

function withMirror(rule: VirtualServiceHttp, { spec: { mirror } }: Shift, [first]: readonly RouteSpec[]): VirtualServiceHttp {
  if (mirror === undefined || first === undefined) return rule;
  const copy = { destination: { ...first.destination, subset: mirror.destination }, percentage: { value: mirror.percent } };
  return { ...rule, mirrors: [...(rule.mirrors ?? []), copy] };
}
