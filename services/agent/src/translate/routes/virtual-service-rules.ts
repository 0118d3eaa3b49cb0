/** Rules of VirtualServices by the host they are for, delegated ones in the place of what delegates to them. Pure. */
import { ISTIO_KINDS } from '@hawser/model/istio/schemas.ts';
import type {
  VirtualServiceHttp,
  VirtualServiceSpec,
  VirtualServiceTcpMatch,
  VirtualServiceTcpRoute,
  VirtualServiceTlsMatch,
} from '@hawser/model/istio/specs.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { hostKey } from '@hawser/model/service-host.ts';
import { Compile } from 'typebox/compile';
import { policyKeyOf } from '../policy-tables.ts';
import { isExportedTo } from '../scope/scope.ts';
import { gatewayKeys, type RuleOwner } from './caller.ts';
import { delegatedRule } from './delegation.ts';

/** The VirtualService that a rule came in by. */
export interface VirtualServiceOwner extends RuleOwner {
  /** `KIND/NAMESPACE/NAME`. */
  readonly policy: string;
}

/** One rule and what it is read by. */
export interface HttpRule {
  /** Key of the VirtualService that it is written in, and where: `spec.http[1]`. */
  readonly policy: string;
  readonly field: string;
  /** Namespace of its hosts. */
  readonly namespace: string;
  readonly rule: VirtualServiceHttp;
  /** Whether its matches are as written, or put together with those of the rule that delegates to it. */
  readonly matches: 'own' | 'merged';
  readonly owner: VirtualServiceOwner;
  /** How specific the host is by which it was found: of several VirtualServices the most specific are obeyed. */
  readonly rank: number;
}

/** What a `tcp` or `tls` rule asks of connections. */
export type ConnectionMatch = VirtualServiceTcpMatch & Partial<VirtualServiceTlsMatch>;

/** One rule for connections that are not HTTP. */
export interface ConnectionRule {
  readonly policy: string;
  /** Where it is written: `spec.tls[0]`. */
  readonly field: string;
  readonly namespace: string;
  /** Any of them; one without conditions when the rule has none. */
  readonly matches: readonly ConnectionMatch[];
  readonly route: readonly VirtualServiceTcpRoute[];
  readonly owner: VirtualServiceOwner;
  readonly rank: number;
}

/** Rank of a VirtualService that names the host itself. */
export const EXACT_RANK = 1_000;

/** Finds the VirtualService that rules are delegated to, by `NAMESPACE/NAME`. */
export type DelegateLookup = (key: string) => Resource | undefined;

/** The spec of a VirtualService whose form is as served; undefined else: the feed reports it. */
export function virtualServiceSpec(policy: Resource): VirtualServiceSpec | undefined {
  if (policy.kind !== 'VirtualService') return undefined;
  const known = specs.get(policy);
  if (known !== undefined) return known === 'broken' ? undefined : known;
  served ??= Compile((ISTIO_KINDS.get('VirtualService')?.served ?? { not: {} }) as object);
  const spec = served.Check(policy.spec) ? (policy.spec as VirtualServiceSpec) : undefined;
  specs.set(policy, spec ?? 'broken');
  return spec;
}

/** The form as served; compiled when the first VirtualService comes. */
let served: ReturnType<typeof Compile> | undefined;
const specs = new WeakMap<Resource, VirtualServiceSpec | 'broken'>();

/** Keys of the hosts of a VirtualService, wildcards as star keys (`hostKey`). */
export function virtualServiceKeys(policy: Resource): ReadonlySet<string> {
  const namespace = policy.metadata.namespace ?? '';
  const keys = (virtualServiceSpec(policy)?.hosts ?? []).map((host) => hostKey(host, namespace));
  return new Set(keys.filter((key) => key !== undefined));
}

/** `NAMESPACE/NAME` of a VirtualService that others may delegate to: it has no hosts of its own. */
export function delegateKeys(policy: Resource): readonly string[] {
  const spec = virtualServiceSpec(policy);
  if (spec === undefined || (spec.hosts ?? []).length > 0) return [];
  return [`${policy.metadata.namespace ?? ''}/${policy.metadata.name}`];
}

/** The rules of a VirtualService. The same objects while neither it nor what it delegates to changed. */
export function httpRulesOf(policy: Resource, rank: number, delegates: DelegateLookup): readonly HttpRule[] {
  const spec = virtualServiceSpec(policy);
  if (spec?.http === undefined) return [];
  const used = spec.http.flatMap(({ delegate }) => (delegate === undefined ? [] : [delegates(delegateKey(policy, delegate))]));
  const known = cache.get(policy)?.get(rank);
  if (known !== undefined && known.used.length === used.length && known.used.every((one, index) => one === used[index])) return known.rules;
  const rules = spec.http.flatMap((rule, index) => expanded({ policy, rule, index, rank, delegates }));
  const byRank = cache.get(policy) ?? new Map();
  cache.set(policy, byRank.set(rank, { used, rules }));
  return rules;
}

interface Compiled {
  readonly used: readonly (Resource | undefined)[];
  readonly rules: readonly HttpRule[];
}

const cache = new WeakMap<Resource, Map<number, Compiled>>();

interface Written {
  readonly policy: Resource;
  readonly rule: VirtualServiceHttp;
  readonly index: number;
  readonly rank: number;
  readonly delegates: DelegateLookup;
}

function expanded({ policy, rule, index, rank, delegates }: Written): HttpRule[] {
  const owner = ownerOf(policy);
  const namespace = policy.metadata.namespace ?? '';
  const own = { policy: owner.policy, field: `spec.http[${index}]`, namespace, rule, matches: 'own' as const, owner, rank };
  if (rule.delegate === undefined) return [own];
  const delegate = delegates(delegateKey(policy, rule.delegate));
  const below = delegate === undefined ? undefined : virtualServiceSpec(delegate)?.http;
  if (delegate === undefined || below === undefined)
    return [{ ...own, rule: unanswered(rule, `there is no VirtualService ${rule.delegate.name} to delegate to`) }];
  if (!isExported(delegate, namespace))
    return [
      {
        ...own,
        rule: unanswered(rule, `the exportTo of the VirtualService ${rule.delegate.name} leaves out ${namespace}, which delegates to it`),
      },
    ];
  return below.flatMap((inner, at): HttpRule[] => {
    // One level, as Istio has it: what a delegate delegates is not looked at.
    const merged = inner.delegate === undefined ? delegatedRule(rule, inner) : undefined;
    if (merged === undefined) return [];
    const place = { policy: policyKeyOf(delegate), field: `spec.http[${at}]`, namespace: delegate.metadata.namespace ?? '' };
    return [{ ...own, ...place, rule: merged, matches: rule.match === undefined ? 'own' : 'merged' }];
  });
}

/** Whether rules of a namespace may delegate to a VirtualService (Istio: its `exportTo` counts for them). */
function isExported(delegate: Resource, namespace: string): boolean {
  return isExportedTo(virtualServiceSpec(delegate)?.exportTo, delegate.metadata.namespace ?? '', namespace);
}

/** What delegates to nothing answers 503, rather than to let its requests through to other rules. */
function unanswered({ match }: VirtualServiceHttp, reason: string): VirtualServiceHttp {
  return { ...(match === undefined ? {} : { match }), directResponse: { status: 503, body: { string: `hawser: ${reason}\n` } } };
}

function delegateKey(policy: Resource, { name = '', namespace }: NonNullable<VirtualServiceHttp['delegate']>): string {
  return `${namespace === undefined || namespace === '' ? (policy.metadata.namespace ?? '') : namespace}/${name}`;
}

function ownerOf(policy: Resource): VirtualServiceOwner {
  const namespace = policy.metadata.namespace ?? '';
  const { gateways, exportTo } = virtualServiceSpec(policy) ?? {};
  return { policy: policyKeyOf(policy), namespace, gateways: gatewayKeys(gateways, namespace), exportTo };
}

/** The `tls` rules of a VirtualService, then its `tcp` rules. The same objects while it did not change. */
export function connectionRulesOf(policy: Resource, rank: number): readonly ConnectionRule[] {
  const spec = virtualServiceSpec(policy);
  if (spec?.tcp === undefined && spec?.tls === undefined) return [];
  const known = connectionCache.get(policy)?.get(rank);
  if (known !== undefined) return known;
  const common = { policy: policyKeyOf(policy), namespace: policy.metadata.namespace ?? '', owner: ownerOf(policy), rank };
  const of = (kind: 'tls' | 'tcp'): ConnectionRule[] =>
    (spec[kind] ?? []).map(({ match, route = [] }, index) => {
      const matches: readonly ConnectionMatch[] = match === undefined || match.length === 0 ? [{}] : match;
      return { ...common, field: `spec.${kind}[${index}]`, matches, route };
    });
  const rules = [...of('tls'), ...of('tcp')];
  connectionCache.set(policy, (connectionCache.get(policy) ?? new Map()).set(rank, rules));
  return rules;
}

const connectionCache = new WeakMap<Resource, Map<number, readonly ConnectionRule[]>>();
