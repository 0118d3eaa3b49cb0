/** A filter that some requests skip, by Envoy's match_delegate. Pure. */
import type { JsonObject } from '@bufbuild/protobuf';
import { type extension, structured } from './wire-values.ts';

/** A filter before it is put into a chain. */
export interface FilterConfig {
  readonly name: string;
  /** Message of its configuration, without the URL. */
  readonly type: string;
  readonly config: JsonObject;
}

/** The filter, skipped by requests that a predicate (`xds.type.matcher.v3.Matcher.MatcherList.Predicate`) does not mean. */
export function filterWhere({ name, type, config }: FilterConfig, isMeant: JsonObject): ReturnType<typeof extension> {
  const skip = { name: 'skip', typed_config: { '@type': url('envoy.extensions.filters.common.matcher.action.v3.SkipFilter') } };
  return structured(name, 'envoy.extensions.common.matching.v3.ExtensionWithMatcher', {
    extension_config: { name, typed_config: { '@type': url(type), ...config } },
    xds_matcher: { matcher_list: { matchers: [{ predicate: { not_matcher: isMeant }, on_match: { action: skip } }] } },
  });
}

/** A message's type as `Any` names it. */
export function url(type: string): string {
  return `type.googleapis.com/${type}`;
}
