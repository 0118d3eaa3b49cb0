/** TrafficShift: divides the requests to services among places, or among versions. */
import Type, { type Static } from 'typebox';
import { invalid } from './istio/rules/checks.ts';
import { requestProblems } from './istio/rules/http-match.ts';
import { ServiceOrHost } from './kind-specs.ts';
import { DURATION_PATTERN, LABEL_PATTERN } from './patterns.ts';
import { isProgressive, PROGRESSIVE_FIELDS } from './progressive-shift.ts';
import { progressiveProblems } from './progressive-shift-problems.ts';
import type { SchemaProblem } from './validate-schema.ts';

const strict = { additionalProperties: false } as const;
const list = { minItems: 1, uniqueItems: true } as const;

/** Parts that shares add up to when nothing else is said. */
export const DEFAULT_TOTAL_WEIGHT = 100;
const MOST_PARTS = 10_000;

/** Names of subsets, as a DestinationRule may have them. */
const SUBSET = '^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$';

const shares = (pattern: string, description: string) =>
  Type.Optional(Type.Record(Type.String({ pattern }), Type.Integer({ minimum: 0, maximum: MOST_PARTS }), { description }));

const Text = Type.Object(
  {
    exact: Type.Optional(Type.String({ description: 'The whole text.' })),
    prefix: Type.Optional(Type.String({ description: 'What the text begins with.' })),
    regex: Type.Optional(Type.String({ description: 'RE2 expression for the whole text.' })),
  },
  strict,
);
const headers = (description: string) => Type.Record(Type.String(), Text, { description });
const text = (description: string) => Type.Optional(Type.Object(Text.properties, { ...strict, description }));

const Match = Type.Object(
  {
    headers: Type.Optional(headers('Headers that the request has, each by exactly one of exact, prefix and regex.')),
    uri: text('Its path, without the query.'),
    method: text('Its method, such as GET.'),
  },
  strict,
);

const Cookie = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 64, pattern: '^[A-Za-z0-9_-]+$', description: 'Name of the cookie.' }),
    maxAge: Type.Optional(
      Type.String({
        pattern: DURATION_PATTERN,
        description: 'How long a browser keeps it; a caller without it is given one. Default: 24h.',
      }),
    ),
  },
  { ...strict, description: 'By a cookie that callers are given.' },
);

/** What keeps a caller on its side. */
export const Stickiness = Type.Object(
  {
    cookie: Type.Optional(Cookie),
    header: Type.Optional(
      Type.String({ minLength: 1, maxLength: 256, description: 'By the value of this header, such as x-user; without it by chance.' }),
    ),
  },
  { ...strict, description: 'What keeps a caller on its side, of either side: exactly one of cookie and header. Default: nothing does.' },
);
export type Stickiness = Static<typeof Stickiness>;

/** Shares of regions, clusters or subsets; places not listed are failover only. */
export const TrafficShiftSpec = Type.Object(
  {
    services: Type.Array(ServiceOrHost, {
      ...list,
      description: 'Services of this namespace, and hosts of its ServiceEntries, whose requests are divided.',
    }),
    regions: shares(
      LABEL_PATTERN,
      'Share of each region in parts of totalWeight, which they add up to; regions not named are for failover only.',
    ),
    clusters: shares(
      LABEL_PATTERN,
      'Share of each cluster in parts of totalWeight, which they add up to; clusters not named are for failover only.',
    ),
    subsets: shares(SUBSET, 'Share of each subset of the DestinationRule in parts of totalWeight, which they add up to.'),
    totalWeight: Type.Optional(
      Type.Integer({ minimum: 1, maximum: MOST_PARTS, description: 'What the shares add up to: 10000 for parts of 0.01 %. Default: 100.' }),
    ),
    match: Type.Optional(
      Type.Array(Match, { minItems: 1, description: 'Requests that are divided among the subsets, by any of these. Default: all.' }),
    ),
    headerRoute: Type.Optional(
      Type.Object(
        {
          name: Type.String({ minLength: 1, maxLength: 63, description: 'Name of the route, for access logs.' }),
          match: headers('Headers that the request has, all of them.'),
          destination: Type.String({ pattern: SUBSET, description: 'Subset that these requests go to, whatever its share is.' }),
        },
        { ...strict, description: 'Requests with these headers go to one subset, before any are divided: for testers.' },
      ),
    ),
    mirror: Type.Optional(
      Type.Object(
        {
          destination: Type.String({ pattern: SUBSET, description: 'Subset that gets copies of requests, whose answers nobody sees.' }),
          percent: Type.Number({ minimum: 0, maximum: 100, description: 'Percentage of the divided requests that are copied.' }),
        },
        { ...strict, description: 'Copies of the divided requests go to one subset as well.' },
      ),
    ),
    stickiness: Type.Optional(Stickiness),
    ...PROGRESSIVE_FIELDS,
  },
  { ...strict, description: 'Divides the requests to services among regions, clusters or subsets by shares, or moves them in steps.' },
);
export type TrafficShiftSpec = Static<typeof TrafficShiftSpec>;

/** What a shift divides its requests among, of which it has exactly one. */
export const DIVISIONS = ['regions', 'clusters', 'subsets'] as const;

/** Rules of a shift that its schema cannot say. */
export function trafficShiftProblems(spec: TrafficShiftSpec): readonly SchemaProblem[] {
  const progressive = progressiveProblems(spec);
  if (progressive.length > 0) return progressive;
  const given = DIVISIONS.filter((division) => spec[division] !== undefined);
  if (isProgressive(spec)) return [...steppedProblems(spec, given), ...subsetProblems(spec), ...requestFields(spec)];
  const [division] = given;
  if (division === undefined || given.length > 1) return [invalid([], 'must have exactly one of regions, clusters, subsets')];
  return [...shareProblems(spec, division), ...subsetProblems(spec), ...requestFields(spec)];
}

/** What the steps say cannot be said beside them. */
function steppedProblems({ headerRoute, mirror }: TrafficShiftSpec, given: readonly string[]): SchemaProblem[] {
  const beside = [...given, ...(headerRoute === undefined ? [] : ['headerRoute']), ...(mirror === undefined ? [] : ['mirror'])];
  return beside.map((field) => invalid([field], 'is for shifts without steps: the steps say it'));
}

function shareProblems(spec: TrafficShiftSpec, division: (typeof DIVISIONS)[number]): SchemaProblem[] {
  const total = totalWeightOf(spec);
  const sum = Object.values(spec[division] ?? {}).reduce((all, share) => all + share, 0);
  return sum === total ? [] : [invalid([division], `add up to ${sum}; the shares of all ${division} must add up to ${total}`)];
}

/** What is done to single requests needs subsets: places are chosen for connections and requests alike. */
function subsetProblems({ subsets, destinations, match, headerRoute, mirror, stickiness }: TrafficShiftSpec): SchemaProblem[] {
  const fields = Object.entries({ match, headerRoute, mirror, stickiness }).filter(([, value]) => value !== undefined);
  const isAmongSubsets = subsets !== undefined || destinations?.[0]?.subset !== undefined;
  return isAmongSubsets ? [] : fields.map(([field]) => invalid([field], 'is for shifts among subsets alone'));
}

function requestFields({ match = [], headerRoute, stickiness }: TrafficShiftSpec): SchemaProblem[] {
  const sticky = stickiness === undefined || (stickiness.cookie === undefined) !== (stickiness.header === undefined);
  const routed = headerRoute?.match ?? {};
  return [
    ...match.flatMap((one, index) => requestProblems(['match', index], one)),
    ...(headerRoute === undefined ? [] : requestProblems(['headerRoute'], { headers: routed }).map(atMatch)),
    ...(headerRoute !== undefined && Object.keys(routed).length === 0
      ? [invalid(['headerRoute', 'match'], 'needs at least one header')]
      : []),
    ...(sticky ? [] : [invalid(['stickiness'], 'must have exactly one of cookie, header')]),
  ];
}

/** Headers of a header route are in `match` itself. */
function atMatch(problem: SchemaProblem): SchemaProblem {
  return { ...problem, steps: problem.steps.map((step, index) => (index === 1 ? 'match' : step)) };
}

/** What the shares of a shift are parts of. */
export function totalWeightOf({ totalWeight = DEFAULT_TOTAL_WEIGHT }: Pick<TrafficShiftSpec, 'totalWeight'>): number {
  return totalWeight;
}
