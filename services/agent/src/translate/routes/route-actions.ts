/** What happens to the requests that a rule matches: they are forwarded, redirected, or answered at once. */
import { parseDuration } from '@hawser/model/duration.ts';
import { headerValueProblem } from '@hawser/model/header-text.ts';
import type { VirtualServiceHttp, VirtualServiceRedirect, VirtualServiceRewrite } from '@hawser/model/istio/specs.ts';
import { regexProblem } from '@hawser/model/regex.ts';
import {
  RedirectAction_RedirectResponseCode as Code,
  type RedirectActionSchema,
  type RouteAction_RequestMirrorPolicySchema,
  type RouteActionSchema,
  type RouteSchema,
  type WeightedCluster_ClusterWeightSchema,
} from '@hawser/xds/generated/envoy/config/route/v3/route_components_pb.ts';
import { UNAVAILABLE_CLUSTER } from '../names.ts';
import { type Init, millis } from '../wire-values.ts';
import { type Destination, type DestinationContext, destinationOf, type ServiceLookup } from './destinations.ts';
import { headerChanges } from './header-operations.ts';
import { fraction, isStatus } from './route-filters.ts';
import { below, type Report } from './rule-report.ts';

type RouteActionInit = Init<typeof RouteActionSchema>;

/** Ready to be put into routes, but for the retries of a forwarding, which depend on the method. */
export type Action =
  | { readonly case: 'forward'; readonly to: RouteActionInit }
  | { readonly case: 'answer'; readonly action: NonNullable<Init<typeof RouteSchema>['action']> };

/** Where a rule is read, and how services are found. */
export interface ActionContext extends DestinationContext {
  readonly lookup: ServiceLookup;
  readonly report: Report;
  /** Whether requests come by TLS. */
  readonly isTls?: boolean | undefined;
}

/** Envoy keeps such bodies in memory for every route. */
export const MOST_BODY_BYTES = 1_048_576;

/** The action of a rule. What cannot be done as written is reported; what is left is served. */
export function actionOf(rule: VirtualServiceHttp, context: ActionContext): Action {
  if (rule.redirect !== undefined) return redirect(rule.redirect, context);
  if (rule.directResponse !== undefined) return directResponse(rule.directResponse, context.report);
  const targets = (rule.route ?? []).map((route, index) => targetOf(route, index, { rule, context }));
  const [only] = targets;
  if (only === undefined) return answer(503, 'hawser: the rule has no destination');
  if (targets.length === 1 && only.destination.state === 'missing') return answer(503, only.destination.reason);
  const timeout = millis(parseDuration(rule.timeout ?? '') ?? 0);
  const to: RouteActionInit = { clusterSpecifier: clustersOf(targets), timeout, requestMirrorPolicies: mirrorsOf(rule, context) };
  return { case: 'forward', to: { ...to, ...hostOf(rule, context.report), ...rewriteOf(rule.rewrite, below(context.report, 'rewrite')) } };
}

/** Forwards to one upstream cluster, as without any rule. */
export function forwardTo(cluster: string): Action {
  return { case: 'forward', to: { clusterSpecifier: { case: 'cluster', value: cluster }, timeout: millis(0) } };
}

interface Target {
  readonly destination: Destination;
  readonly weight: number;
  /** Header operations of this destination alone. */
  readonly own: Init<typeof WeightedCluster_ClusterWeightSchema>;
}

type RouteSpec = NonNullable<VirtualServiceHttp['route']>[number];

function targetOf(route: RouteSpec, index: number, { rule, context }: { rule: VirtualServiceHttp; context: ActionContext }): Target {
  const report = below(context.report, `route[${index}]`);
  const destination = resolved(route.destination, context, below(report, 'destination'));
  const { changes, host } = headerChanges(route.headers, report);
  const rewritten = host === undefined ? {} : { hostRewriteSpecifier: { case: 'hostRewriteLiteral' as const, value: host } };
  const weight = route.weight ?? (rule.route?.length === 1 ? 100 : 0);
  return { destination, weight, own: { ...changes, ...rewritten } };
}

function resolved(spec: RouteSpec['destination'], context: ActionContext, report: Report): Destination {
  const found = destinationOf(spec, context, context.lookup);
  if (found.state === 'missing') report('', `${found.reason.replace(/^hawser: /, '')}: requests for it are answered 503`);
  return found;
}

/** One cluster when nothing is said of the destination but where it is; weights of at least 1 else (Envoy refuses a sum of 0). */
function clustersOf(targets: readonly Target[]): NonNullable<RouteActionInit['clusterSpecifier']> {
  const [only, ...others] = targets;
  if (only !== undefined && others.length === 0 && Object.keys(only.own).length === 0) return { case: 'cluster', value: clusterOf(only) };
  const total = targets.reduce((sum, { weight }) => sum + weight, 0);
  const clusters = targets
    .map((target) => ({ ...target.own, name: clusterOf(target), weight: total === 0 ? 1 : target.weight }))
    .filter((cluster) => cluster.weight > 0);
  return { case: 'weightedClusters', value: { clusters } };
}

/** The share of a destination that does not exist answers 503. */
function clusterOf({ destination }: Target): string {
  return destination.state === 'there' ? destination.cluster : UNAVAILABLE_CLUSTER;
}

/** Copies of requests, whose answers nobody waits for. */
function mirrorsOf(rule: VirtualServiceHttp, context: ActionContext): Init<typeof RouteAction_RequestMirrorPolicySchema>[] {
  const percent = percentOf(rule.mirrorPercentage) ?? rule.mirrorPercent ?? rule.mirror_percent;
  const single = rule.mirror === undefined ? [] : [{ destination: rule.mirror, percent, field: 'mirror' }];
  const several = (rule.mirrors ?? []).map(({ destination, percentage }, index) => ({
    ...{ destination, percent: percentOf(percentage) },
    field: `mirrors[${index}].destination`,
  }));
  return [...single, ...several].flatMap(({ destination, percent: share = 100, field }) => {
    const found = destinationOf(destination, context, context.lookup);
    if (found.state === 'missing') context.report(field, `${found.reason.replace(/^hawser: /, '')}: nothing is mirrored there`);
    if (found.state === 'missing' || share <= 0) return [];
    return [{ cluster: found.cluster, runtimeFraction: { defaultValue: fraction(share) } }];
  });
}

/** A percentage that is there and says nothing is 0, as in Istio. */
function percentOf(percentage: { readonly value?: number | undefined } | undefined): number | undefined {
  return percentage === undefined ? undefined : (percentage.value ?? 0);
}

/** `rewrite.authority`, else the host that the rule sets as a header. */
function hostOf(rule: VirtualServiceHttp, report: Report): RouteActionInit {
  const authority = rule.rewrite?.authority ?? '';
  const host = authority === '' ? headerChanges(rule.headers, () => undefined).host : authority;
  const problem = host === undefined ? undefined : headerValueProblem(host);
  if (problem !== undefined) report('rewrite.authority', `${problem}: the host stays as it is`);
  return host === undefined || problem !== undefined ? {} : { hostRewriteSpecifier: { case: 'hostRewriteLiteral', value: host } };
}

/** The matched prefix is replaced; of any other match the whole path. The query stays. */
function rewriteOf(rewrite: VirtualServiceRewrite | undefined, report: Report): RouteActionInit {
  const { uriRegexRewrite: regex, uri = '' } = rewrite ?? {};
  if (regex?.match !== undefined && regex.match !== '') {
    const problem = regexProblem(regex.match);
    if (problem === undefined) return { regexRewrite: { pattern: { regex: regex.match }, substitution: regex.rewrite ?? '' } };
    report('uriRegexRewrite.match', `the expression ${problem}: the path stays as it is`);
  }
  if (uri === '') return {};
  const problem = headerValueProblem(uri);
  if (problem === undefined) return { prefixRewrite: uri };
  report('uri', `${problem}: the path stays as it is`);
  return {};
}

const REDIRECT_CODES: Readonly<Record<number, Code>> = {
  301: Code.MOVED_PERMANENTLY,
  302: Code.FOUND,
  303: Code.SEE_OTHER,
  307: Code.TEMPORARY_REDIRECT,
  308: Code.PERMANENT_REDIRECT,
};

function redirect(spec: VirtualServiceRedirect, { report, port: callers, isTls = false }: ActionContext): Action {
  const { uri = '', authority = '', scheme = '', redirectCode = 301 } = spec;
  const code = REDIRECT_CODES[redirectCode];
  const bad = headerValueProblem(`${uri}${authority}${scheme}`);
  if (code === undefined || bad !== undefined) {
    report('redirect', `${bad ?? `${redirectCode} is no status of a redirect`}: requests for it are answered 503`);
    return answer(503, 'hawser: the redirect cannot be done as written');
  }
  const port = spec.port ?? (spec.derivePort === 'FROM_REQUEST_PORT' ? callers : 0);
  // The port that a scheme has anyway is not written, as Istio has it.
  const isUsual = spec.port === undefined && port === ((scheme || (isTls ? 'https' : 'http')) === 'https' ? 443 : 80);
  const value: Init<typeof RedirectActionSchema> = {
    responseCode: code,
    hostRedirect: authority,
    portRedirect: isUsual ? 0 : port,
    ...(scheme === '' ? {} : { schemeRewriteSpecifier: { case: 'schemeRedirect', value: scheme } }),
    ...(uri === '' ? {} : { pathRewriteSpecifier: { case: 'pathRedirect', value: uri } }),
  };
  return { case: 'answer', action: { case: 'redirect', value } };
}

function directResponse({ status, body }: NonNullable<VirtualServiceHttp['directResponse']>, report: Report): Action {
  const bytes = body?.bytes === undefined ? Buffer.from(body?.string ?? '') : Buffer.from(body.bytes, 'base64');
  if (!isStatus(status) || bytes.length > MOST_BODY_BYTES) {
    report('directResponse', `needs a status from 200 to 599 and at most ${MOST_BODY_BYTES} bytes: requests for it are answered 503`);
    return answer(503, 'hawser: the direct response cannot be given as written');
  }
  const inline = body?.bytes === undefined ? ({ case: 'inlineString', value: body?.string ?? '' } as const) : undefined;
  const specifier = inline ?? ({ case: 'inlineBytes', value: new Uint8Array(bytes) } as const);
  const content = bytes.length === 0 ? {} : { body: { specifier } };
  return { case: 'answer', action: { case: 'directResponse', value: { status, ...content } } };
}

/** An answer of the sidecar itself. */
export function answer(status: number, reason: string): Action {
  const body = { specifier: { case: 'inlineString' as const, value: `${reason}\n` } };
  return { case: 'answer', action: { case: 'directResponse', value: { status, body } } };
}
