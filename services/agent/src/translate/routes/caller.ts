/** Whom routes are built for: conditions of rules on who calls, as pure predicates. */
import type { ProxyScope } from '../scope/scope.ts';
import { isExportedTo, selects } from '../scope/scope.ts';

/** Name that VirtualServices have for all sidecars. */
export const MESH = 'mesh';

/** Whose route configuration is built. */
export interface Caller {
  /** `mesh` for sidecars, `NAMESPACE/NAME` of the Gateway for others. */
  readonly gateway: string;
  /** Undefined: nobody in particular; rules that are for certain workloads are left out then. */
  readonly scope: ProxyScope | undefined;
}

/** What a match says about the caller. */
export interface CallerMatch {
  readonly gateways?: readonly string[] | undefined;
  readonly sourceLabels?: Readonly<Record<string, string>> | undefined;
  readonly sourceNamespace?: string | undefined;
}

/** What the VirtualService around a rule says about it. */
export interface RuleOwner {
  readonly namespace: string;
  /** Normalised (`gatewayKeys`). */
  readonly gateways: readonly string[];
  readonly exportTo: readonly string[] | undefined;
}

/** `mesh` and `NAMESPACE/NAME`; `mesh` alone when none is given (Istio's VirtualService.gateways). */
export function gatewayKeys(names: readonly string[] | undefined, namespace: string): readonly string[] {
  if (names === undefined || names.length === 0) return [MESH];
  return names.map((name) => (name === MESH || name.includes('/') ? name : gatewayByName(name, namespace)));
}

/** Also the old spelling as a host name: `NAME.NAMESPACE.svc.cluster.local`. */
function gatewayByName(name: string, namespace: string): string {
  const [first = '', second] = name.split('.');
  return `${second ?? namespace}/${first}`;
}

/** Whether the caller is served by the rules of this owner at all; a match may still name other gateways. */
export function isVisible({ exportTo, namespace }: RuleOwner, { scope }: Caller): boolean {
  return isExportedTo(exportTo, namespace, scope?.namespace ?? '');
}

/** Whether the VirtualService, or a match of the rule, is for the caller's gateway: what is for others alone hides nothing from it. */
export function isBound(owner: RuleOwner, matches: readonly CallerMatch[], { gateway }: Caller): boolean {
  return owner.gateways.includes(gateway) || matches.some((match) => gatewaysOf(match, owner).includes(gateway));
}

/** Whether a match of a rule is for this caller. */
export function isFor(match: CallerMatch, owner: RuleOwner, { gateway, scope }: Caller): boolean {
  if (!gatewaysOf(match, owner).includes(gateway)) return false;
  if (match.sourceNamespace !== undefined && match.sourceNamespace !== '' && match.sourceNamespace !== scope?.namespace) return false;
  return selects(match.sourceLabels ?? {}, scope?.labels ?? {});
}

/** A match's own gateways take the place of the VirtualService's. */
function gatewaysOf({ gateways = [] }: CallerMatch, owner: RuleOwner): readonly string[] {
  return gateways.length === 0 ? owner.gateways : gatewayKeys(gateways, owner.namespace);
}

/** Whether it depends on more than the gateway whom a match is for. */
export function dependsOnScope(match: CallerMatch): boolean {
  return (match.sourceNamespace ?? '') !== '' || Object.keys(match.sourceLabels ?? {}).length > 0;
}

/** Whether a VirtualService is hidden from some namespaces. */
export function isRestricted({ exportTo }: RuleOwner): boolean {
  return exportTo !== undefined && exportTo.length > 0 && !exportTo.includes('*');
}
