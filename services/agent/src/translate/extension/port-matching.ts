/** A filter for requests to some ports alone, by the upstream that Envoy chose for a request: its name has the port. Pure. */
import type { JsonObject } from '@bufbuild/protobuf';
import { type extension, structured } from '../wire-values.ts';

/** A filter before it is put into a chain. */
export interface FilterConfig {
  readonly name: string;
  /** Message of its configuration, without the URL. */
  readonly type: string;
  readonly config: JsonObject;
}

/**
 * The filter, skipped by requests to other ports: those of the services that are called, on the server's side those of the
 * application. What goes nowhere (a redirect, an answer of the route) has no port.
 */
export function filterForPorts({ name, type, config }: FilterConfig, ports: readonly number[]): ReturnType<typeof extension> {
  const isMeant: JsonObject = {
    single_predicate: {
      input: { name: 'request', typed_config: { '@type': url('xds.type.matcher.v3.HttpAttributesCelMatchInput') } },
      custom_match: {
        name: 'envoy.matching.matchers.cel_matcher',
        typed_config: {
          '@type': url('xds.type.matcher.v3.CelMatcher'),
          expr_match: { cel_expr_parsed: { expr: anyOf([...new Set(ports)].sort((a, b) => a - b).flatMap(upstreamsOf)) } },
        },
      },
    },
  };
  const skip = { name: 'skip', typed_config: { '@type': url('envoy.extensions.filters.common.matcher.action.v3.SkipFilter') } };
  return structured(name, 'envoy.extensions.common.matching.v3.ExtensionWithMatcher', {
    extension_config: { name, typed_config: { '@type': url(type), ...config } },
    xds_matcher: { matcher_list: { matchers: [{ predicate: { not_matcher: isMeant }, on_match: { action: skip } }] } },
  });
}

function url(type: string): string {
  return `type.googleapis.com/${type}`;
}

/** Names of upstreams as `translate/names.ts` makes them. */
function upstreamsOf(port: number): JsonObject[] {
  const upstream = { select_expr: { operand: { ident_expr: { name: 'xds' } }, field: 'cluster_name' } };
  return [
    { call_expr: { function: 'startsWith', target: upstream, args: [text(`outbound|${port}|`)] } },
    { call_expr: { function: '_==_', args: [upstream, text(`inbound|${port}`)] } },
  ];
}

function text(value: string): JsonObject {
  return { const_expr: { string_value: value } };
}

function anyOf([first = {}, ...others]: readonly JsonObject[]): JsonObject {
  return others.reduce((either, one) => ({ call_expr: { function: '_||_', args: [either, one] } }), first);
}
