/** A rule of a VirtualService that another delegates to, put together with the rule that does (Istio's `delegate`). Pure. */
import type { StringMatch, VirtualServiceHttp, VirtualServiceMatch } from '@hawser/model/istio/specs.ts';

/**
 * The rule in force: its matches within those of `root`, and what it does not say taken from `root`. Undefined when one of its
 * matches is outside of all those of `root`: then the rule has no effect.
 */
export function delegatedRule(root: VirtualServiceHttp, rule: VirtualServiceHttp): VirtualServiceHttp | undefined {
  const matches = delegatedMatches(root.match ?? [], rule.match ?? []);
  if (matches === undefined) return undefined;
  const { delegate: _delegate, match: _match, route: _route, ...rest } = root;
  const name = [root.name ?? '', rule.name ?? ''].filter((part) => part !== '').join('-');
  return { ...rest, ...defined(rule), ...(matches.length === 0 ? {} : { match: matches }), ...(name === '' ? {} : { name }) };
}

function delegatedMatches(
  roots: readonly VirtualServiceMatch[],
  leaves: readonly VirtualServiceMatch[],
): VirtualServiceMatch[] | undefined {
  if (roots.length === 0) return [...leaves];
  if (leaves.length === 0) return [...roots];
  const merged = leaves.map((leaf) => roots.filter((root) => isWithin(root, leaf)).map((root) => mergedMatch(root, leaf)));
  return merged.some((found) => found.length === 0) ? undefined : merged.flat();
}

/** Whether a match can only be narrower than another. */
function isWithin(root: VirtualServiceMatch, leaf: VirtualServiceMatch): boolean {
  const texts = (['uri', 'scheme', 'method', 'authority'] as const).every((field) => isTextWithin(root[field], leaf[field]));
  const maps = (['headers', 'withoutHeaders', 'queryParams'] as const).every((field) =>
    Object.entries<StringMatch>(leaf[field] ?? {}).every(([name, match]) => isTextWithin(root[field]?.[name], match)),
  );
  const labels = Object.entries(leaf.sourceLabels ?? {}).every(([key, value]) => (root.sourceLabels?.[key] ?? value) === value);
  return texts && maps && labels && isSameOrOpen(root, leaf) && areGatewaysWithin(root.gateways ?? [], leaf.gateways ?? []);
}

function isSameOrOpen(root: VirtualServiceMatch, leaf: VirtualServiceMatch): boolean {
  const isFree = (a: number | string | undefined, b: number | string | undefined): boolean => !a || !b || a === b;
  const sameCase = (root.ignoreUriCase ?? false) === (leaf.ignoreUriCase ?? false);
  return sameCase && isFree(root.port, leaf.port) && isFree(root.sourceNamespace, leaf.sourceNamespace);
}

function areGatewaysWithin(roots: readonly string[], leaves: readonly string[]): boolean {
  return roots.length === 0 || leaves.every((gateway) => roots.includes(gateway));
}

/** Expressions cannot be compared: one on either side goes with nothing on the other. */
function isTextWithin(root: StringMatch | undefined, leaf: StringMatch | undefined): boolean {
  if (root === undefined || leaf === undefined) return true;
  if (root.regex !== undefined || leaf.regex !== undefined) return false;
  if (root.exact !== undefined) return leaf.exact === root.exact;
  if (root.prefix === undefined) return true;
  return (leaf.exact ?? leaf.prefix)?.startsWith(root.prefix) ?? false;
}

function mergedMatch(root: VirtualServiceMatch, leaf: VirtualServiceMatch): VirtualServiceMatch {
  const name = [root.name ?? '', leaf.name ?? ''].filter((part) => part !== '').join('-');
  const both = <Field extends 'headers' | 'withoutHeaders' | 'queryParams' | 'sourceLabels'>(field: Field): object => {
    const all: object = { ...root[field], ...leaf[field] };
    return Object.keys(all).length === 0 ? {} : { [field]: all };
  };
  return {
    ...root,
    ...defined(leaf),
    ...{ ...both('headers'), ...both('withoutHeaders'), ...both('queryParams'), ...both('sourceLabels') },
    ...(name === '' ? {} : { name }),
  };
}

/** Without fields that are there and say nothing, which would hide what the other says. */
function defined<Value extends object>(value: Value): Partial<Value> {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as Partial<Value>;
}
