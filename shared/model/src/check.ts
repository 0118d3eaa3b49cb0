/** Checks: what is measured while traffic moves, and the condition that it must meet. One shape for guardrails, steady states and analyses. */
import Type, { type Static } from 'typebox';
import { bareEnvironment, type Condition, compileCondition, LONGEST_CONDITION, type Vocabulary } from './condition/condition.ts';
import { parseDuration } from './duration.ts';
import { oneOf } from './one-of.ts';
import { DURATION_PATTERN, LABEL_PATTERN } from './patterns.ts';
import type { SchemaProblem } from './validate-schema.ts';

const strict = { additionalProperties: false } as const;
const label = (description: string) => Type.String({ pattern: LABEL_PATTERN, description });
const duration = (description: string) => Type.Optional(Type.String({ pattern: DURATION_PATTERN, description }));

/** What the hub measures by itself. Latencies in milliseconds, `errorRatio` and `share` from 0 to 1. */
export const HUB_METRICS = ['requestsPerSecond', 'errorRatio', 'latencyP50', 'latencyP90', 'latencyP99', 'inFlight', 'share'] as const;
export type HubMetric = (typeof HUB_METRICS)[number];

/** Where a number of Prometheus comes from. */
export const PrometheusSource = Type.Object(
  {
    query: Type.String({
      minLength: 1,
      maxLength: 4096,
      description: 'PromQL that gives one number: a scalar, or a vector of one series.',
    }),
    datasource: Type.Optional(label('Which of the servers that the hub was configured with. Default: default.')),
  },
  { ...strict, description: 'A query to a Prometheus server.' },
);

const HttpSource = Type.Object(
  {
    url: Type.String({
      pattern: '^https?://[^/?#]+',
      maxLength: 2048,
      description: 'What is asked for, with GET. Redirects are not followed.',
    }),
    expectStatus: Type.Optional(Type.Integer({ minimum: 100, maximum: 599, description: 'Status that is a success. Default: 200.' })),
  },
  { ...strict, description: 'A request; result is the status of its answer.' },
);

const Place = Type.Object(
  {
    region: Type.Optional(label('Only requests that endpoints of this region were asked for.')),
    cluster: Type.Optional(label('Only requests that endpoints of this cluster were asked for.')),
    version: Type.Optional(Type.String({ minLength: 1, maxLength: 63, description: 'Only requests that this version was asked for.' })),
  },
  { ...strict, description: 'Only requests that went there. Default: wherever they went.' },
);

const HubSource = Type.Object(
  {
    metric: oneOf(
      HUB_METRICS,
      'What of the traffic: requestsPerSecond, errorRatio (0 to 1), latencyP50, latencyP90 and latencyP99 (milliseconds), inFlight, or share: the part (0 to 1) of the requests to the service that goes to the destination.',
    ),
    service: Type.Optional(
      Type.String({
        pattern: '^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?/)?[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$',
        description:
          'Only requests to this service, NAMESPACE/NAME or a name of the own namespace. Default: those that the resource is for.',
      }),
    ),
    source: Type.Optional(label('Only requests of callers in this cluster. Default: of all clusters.')),
    destination: Type.Optional(Place),
  },
  { ...strict, description: 'A metric of the traffic that proxies measured, over a sliding window.' },
);

/** One check as it is written. */
export const CheckSpec = Type.Object(
  {
    name: label('What it is called in messages and in status.'),
    source: Type.Union(
      [
        Type.Object({ prometheus: PrometheusSource }, strict),
        Type.Object({ http: HttpSource }, strict),
        Type.Object({ hub: HubSource }, strict),
      ],
      { description: 'Where the number comes from: exactly one of prometheus, http and hub.' },
    ),
    condition: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: LONGEST_CONDITION,
        description:
          'CEL over result (a double) that holds when all is well, such as result < 0.01. Of http it is asked beside expectStatus.',
      }),
    ),
    when: Type.Optional(
      Type.Array(oneOf(['before', 'during', 'after'], 'A part of an operation.'), {
        minItems: 1,
        uniqueItems: true,
        description: 'In which parts of an operation it is looked at. Default: all of them.',
      }),
    ),
    interval: duration('Time from one sample to the next, at least 250ms. Default: 250ms of hub, else 15s.'),
    window: duration('How far a hub metric looks back, 1s to 15m. Default: 1m.'),
    timeout: duration('How long an answer is waited for, at most 1m. Default: 5s.'),
    initialDelay: duration('Time before the first sample. Default: 30s.'),
    failureLimit: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 1000, description: 'Samples that may fail before the check does. Default: 1.' }),
    ),
    consecutiveErrorLimit: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 1000,
        description: 'Samples in a row that may not be had before the check is an error. Default: 4.',
      }),
    ),
    onNoData: Type.Optional(
      oneOf(['inconclusive', 'fail', 'pass'], 'What a sample without a number is. Default: inconclusive, which is never a success.'),
    ),
    action: Type.Optional(
      oneOf(['abort', 'pause', 'record'], 'What its failure does. Default: abort; what is inconclusive, or cannot be had, pauses.'),
    ),
  },
  { ...strict, description: 'Something that is measured while traffic moves, and what it must be.' },
);
export type CheckSpec = Static<typeof CheckSpec>;

/** A check with its defaults; all times in milliseconds. */
export interface Check {
  readonly name: string;
  readonly source: CheckSpec['source'];
  readonly when: readonly ('before' | 'during' | 'after')[];
  readonly intervalMs: number;
  readonly windowMs: number;
  readonly timeoutMs: number;
  readonly initialDelayMs: number;
  readonly failureLimit: number;
  readonly consecutiveErrorLimit: number;
  readonly onNoData: 'inconclusive' | 'fail' | 'pass';
  readonly action: 'abort' | 'pause' | 'record';
}

/** Most checks of one resource: each of them costs the hub work four times a second. */
export const MOST_CHECKS = 32;
/** How often checks of hub metrics look. */
export const HUB_INTERVAL_MS = 250;

/** The check, with what it does not say. */
export function checkOf(spec: CheckSpec): Check {
  const ms = (text: string | undefined, fallback: number): number => (text === undefined ? fallback : (parseDuration(text) ?? fallback));
  return {
    name: spec.name,
    source: spec.source,
    when: spec.when ?? ['before', 'during', 'after'],
    intervalMs: ms(spec.interval, 'hub' in spec.source ? HUB_INTERVAL_MS : 15_000),
    windowMs: ms(spec.window, 60_000),
    timeoutMs: ms(spec.timeout, 5_000),
    initialDelayMs: ms(spec.initialDelay, 30_000),
    failureLimit: spec.failureLimit ?? 1,
    consecutiveErrorLimit: spec.consecutiveErrorLimit ?? 4,
    onNoData: spec.onNoData ?? 'inconclusive',
    action: spec.action ?? 'abort',
  };
}

const VOCABULARY: Vocabulary = {
  environment: bareEnvironment().registerVariable('result', 'double'),
  lists: [],
  described: 'a condition is CEL over result, a double',
};

/** The condition of a check that was validated; undefined of an http check that has none. Throws `Error` on one that was not validated. */
export function conditionOf({ name, condition }: CheckSpec): Condition | undefined {
  if (condition === undefined) return undefined;
  const made = compileCondition(condition, VOCABULARY);
  if ('problem' in made) throw new Error(`the condition of the check ${name} ${made.problem}`);
  return made.condition;
}

/** What is wrong with the checks of a resource beyond their schema; `steps` is where they are, such as `['analysis', 'checks']`. */
export function checkProblems(checks: readonly CheckSpec[], steps: readonly (string | number)[]): readonly SchemaProblem[] {
  const names = checks.map(({ name }) => name);
  const twice = checks.flatMap(({ name }, index) =>
    names.indexOf(name) === index ? [] : [problem([...steps, index, 'name'], `is ${name}, as that of another check`)],
  );
  const tooMany = checks.length > MOST_CHECKS ? [problem(steps, `are ${checks.length}; at most ${MOST_CHECKS} are allowed`)] : [];
  return [...tooMany, ...twice, ...checks.flatMap((check, index) => problemsOf(check, [...steps, index]))];
}

function problemsOf(spec: CheckSpec, steps: readonly (string | number)[]): readonly SchemaProblem[] {
  const found = Object.entries(TIMES).flatMap(([field, [least, most, bounds]]) => {
    const text = spec[field as keyof typeof TIMES];
    const ms = text === undefined ? least : (parseDuration(text) ?? -1);
    return ms >= least && ms <= most ? [] : [problem([...steps, field], `is ${text}; it must be ${bounds}`)];
  });
  if (spec.window !== undefined && !('hub' in spec.source)) {
    found.push(problem([...steps, 'window'], 'is for hub metrics alone; a query has its range in itself'));
  }
  if ('hub' in spec.source && spec.source.hub.metric === 'share' && spec.source.hub.destination === undefined) {
    found.push(problem([...steps, 'source', 'hub', 'destination'], 'is needed by the metric share: share of what'));
  }
  if ('http' in spec.source && !URL.canParse(spec.source.http.url)) {
    found.push(problem([...steps, 'source', 'http', 'url'], `is ${spec.source.http.url}, which is no URL`));
  }
  if ('http' in spec.source && /^https?:\/\/[^/?#]*@/.test(spec.source.http.url)) {
    found.push(problem([...steps, 'source', 'http', 'url'], 'has credentials in it, and whoever may read policies could read them'));
  }
  if (spec.condition === undefined) {
    return 'http' in spec.source
      ? found
      : [...found, { steps: [...steps, 'condition'], code: 'FieldValueRequired', message: 'is required' }];
  }
  const made = compileCondition(spec.condition, VOCABULARY);
  return 'problem' in made ? [...found, problem([...steps, 'condition'], made.problem)] : found;
}

const DAY_MS = 86_400_000;
const TIMES = {
  interval: [250, DAY_MS, 'from 250ms to 24h'],
  window: [1_000, 900_000, 'from 1s to 15m'],
  timeout: [1, 60_000, 'from 1ms to 1m'],
  initialDelay: [0, DAY_MS, 'at most 24h'],
} as const;

function problem(steps: readonly (string | number)[], message: string): SchemaProblem {
  return { steps, code: 'FieldValueInvalid', message };
}
