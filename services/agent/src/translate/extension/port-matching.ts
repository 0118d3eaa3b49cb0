/** A filter for requests to some ports alone, by the upstream that Envoy chose for a request: its name has the port. Pure. */
import type { JsonObject } from '@bufbuild/protobuf';
import { type FilterConfig, filterWhere, url } from '../matched-filter.ts';
import type { extension } from '../wire-values.ts';

/**
 * The filter, skipped by requests to other ports: those of the services that are called, on the server's side those of the
 * application. What goes nowhere (a redirect, an answer of the route) has no port.
 */
export function filterForPorts(filter: FilterConfig, ports: readonly number[]): ReturnType<typeof extension> {
  const expr = anyOf([...new Set(ports)].sort((a, b) => a - b).flatMap(upstreamsOf));
  return filterWhere(filter, {
    single_predicate: {
      input: { name: 'request', typed_config: { '@type': url('xds.type.matcher.v3.HttpAttributesCelMatchInput') } },
      custom_match: {
        name: 'envoy.matching.matchers.cel_matcher',
        typed_config: { '@type': url('xds.type.matcher.v3.CelMatcher'), expr_match: { cel_expr_parsed: { expr } } },
      },
    },
  });
}

/** Names of upstreams as `translate/names.ts` makes them. */
function upstreamsOf(port: number): JsonObject[] {
  const upstream = { select_expr: { operand: { ident_expr: { name: 'xds' } }, field: 'cluster_name' } };
  return [
    { call_expr: { function: 'startsWith', target: upstream, args: [text(`outbound|${port}|`)] } },
    { call_expr: { function: '_==_', args: [upstream, text(`inbound|${port}`)] } },
    { call_expr: { function: 'startsWith', target: upstream, args: [text(`inbound|${port}|`)] } },
  ];
}

function text(value: string): JsonObject {
  return { const_expr: { string_value: value } };
}

function anyOf([first = {}, ...others]: readonly JsonObject[]): JsonObject {
  return others.reduce((either, one) => ({ call_expr: { function: '_||_', args: [either, one] } }), first);
}
