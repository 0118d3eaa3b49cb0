/** PURE: the explanation of a route as text. */
import type { ExplainedEndpoint, ExplainedUpstream, RouteExplanation } from '@hawser/wire/messages.ts';
import { type Column, tableLines } from '../output/table.ts';

type Taken = RouteExplanation['taken'][number];

/** From the listener to the endpoints, in the order in which Envoy decides. */
export function explanationLines({
  request,
  listener,
  filterChain,
  routeConfiguration,
  virtualHost,
  passed,
  taken,
}: RouteExplanation): string[] {
  const { method, scheme, authority, path } = request;
  if (filterChain !== undefined) {
    const upstreams = taken.flatMap((one) => one.upstreams);
    return [
      `${scheme}://${authority}`,
      `listener      ${listener}`,
      `filter chain  ${filterChain}`,
      ...upstreams.flatMap((upstream) => upstreamLines(upstream, upstreams.length)),
    ];
  }
  return [
    `${method} ${scheme}://${authority}${path}`,
    `listener      ${listener}, routes ${routeConfiguration}`,
    `virtual host  ${virtualHost.name} (${virtualHost.domain})`,
    ...passed.map(({ why, ...rule }) => `not           ${ruleText(rule)}: ${why}`),
    ...taken.flatMap(takenLines),
    ...(taken.length === 0 ? ['taken         by no route: it is answered 404'] : []),
  ];
}

function takenLines({ share, action, effects, upstreams, ...rule }: Taken): string[] {
  const part = share === 100 ? '' : `, for ${share} % of such requests`;
  return [
    `taken         ${ruleText(rule)}${part}`,
    ...effects.map((effect) => `              ${effect}`),
    ...upstreams.flatMap((upstream) => upstreamLines(upstream, upstreams.length)),
    ...(action === 'forward' && upstreams.length === 0 ? ['upstream      is decided by something that cannot be explained here'] : []),
  ];
}

function upstreamLines(
  { cluster, host, port, subset, share, effects, endpoints, endpointsOmitted }: ExplainedUpstream,
  count: number,
): string[] {
  const name = host === undefined ? cluster : `${host}:${port}${subset === undefined ? '' : `, subset ${subset}`} (${cluster})`;
  const rows = tableLines(ENDPOINTS, endpoints).map((line) => `              ${line}`);
  return [
    `upstream      ${name}${count === 1 ? '' : `, ${share} %`}`,
    ...effects.map((effect) => `              ${effect}`),
    ...(endpoints.length === 0 ? ['              no endpoints: it is answered 503'] : rows),
    ...(endpointsOmitted === 0 ? [] : [`              and ${endpointsOmitted} more`]),
  ];
}

function ruleText({ policy, rule }: { readonly policy?: string; readonly rule?: string }): string {
  return policy === undefined ? 'no rule: the route of the host itself' : `${policy} ${rule ?? ''}`.trim();
}

const ENDPOINTS: readonly Column<ExplainedEndpoint>[] = [
  { title: 'PRIORITY', cell: ({ priority }) => String(priority) },
  { title: 'ENDPOINT', cell: ({ address }) => address },
  { title: 'LOCALITY', cell: ({ locality }) => locality },
  { title: 'WEIGHT', cell: ({ weight }) => String(weight) },
  { title: 'HEALTH', cell: ({ health }) => health },
];
