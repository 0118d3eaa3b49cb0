/**
 * Conditions in CEL (Common Expression Language): the one door to its library. A condition that was compiled costs a bounded
 * number of steps, whoever wrote it, so that it needs no thread and no deadline of its own. Pure.
 */
import { Environment } from '@marcbachmann/cel-js';
import { costOf, type ListSizes, misuseOf } from './expression-cost.ts';

/** The bound of one evaluation, in steps: 30 ms, and five times that the first time. */
export const MOST_STEPS = 250_000;
/** Longest text of a condition. */
export const LONGEST_CONDITION = 1024;
const LIMITS = { maxDepth: 12, maxAstNodes: 200, maxListElements: 64, maxMapEntries: 1, maxCallArguments: 3 };

/** What conditions of one use may speak of. */
export interface Vocabulary {
  readonly environment: Environment;
  /** Names of variables and fields that are lists. */
  readonly lists: readonly string[];
  /** For people: what the names are. */
  readonly described: string;
}

/** What came of an evaluation. A condition that cannot be evaluated does not hold, and says why. */
export type Outcome = { readonly holds: boolean } | { readonly problem: string };

/** A condition ready for use. */
export interface Condition {
  /** `sizes` are those of the lists in `values`, by name; what is not given counts as the greatest of them. */
  evaluate(values: Readonly<Record<string, unknown>>, sizes?: ListSizes): Outcome;
}

/** An environment that knows nothing but CEL; the uses add what they speak of. */
export function bareEnvironment(): Environment {
  return new Environment({ limits: LIMITS }).registerOperator('double == int', (a: number, b: bigint) => a === Number(b));
}

/** The condition, or what is wrong with its text and where. */
export function compileCondition(text: string, vocabulary: Vocabulary): { readonly condition: Condition } | { readonly problem: string } {
  if (text.length > LONGEST_CONDITION) return { problem: `has ${text.length} characters; at most ${LONGEST_CONDITION} are allowed` };
  try {
    return compiled(text, vocabulary);
  } catch (error) {
    return { problem: `${whereAndWhat(text, error)}; ${vocabulary.described}` };
  }
}

function compiled(text: string, { environment, lists, described }: Vocabulary): ReturnType<typeof compileCondition> {
  const parsed = environment.parse(text);
  const misuse = misuseOf(parsed.ast);
  if (misuse !== undefined) return { problem: `${place(text, misuse.start)}${misuse.problem}` };
  const { valid, type, error } = parsed.check();
  if (!valid) return { problem: `${whereAndWhat(text, error)}; ${described}` };
  if (type !== 'bool') return { problem: `is of type ${type}; a condition is true or false, such as result < 0.01` };
  const usual = costOf(parsed.ast, sizesOf(lists, {}, USUAL_ENTRIES));
  if (usual > MOST_STEPS) return { problem: `${tooMuch(usual)} over lists of ${USUAL_ENTRIES} entries: use fewer lists within lists` };
  const evaluate: Condition['evaluate'] = (values, sizes = {}) => {
    const cost = costOf(parsed.ast, sizesOf(lists, sizes, Math.max(1, ...Object.values(sizes))));
    if (cost > MOST_STEPS) return { problem: tooMuch(cost) };
    try {
      const holds: unknown = parsed(values);
      return typeof holds === 'boolean' ? { holds } : { problem: 'is neither true nor false' };
    } catch (failure) {
      return { problem: whereAndWhat(text, failure) };
    }
  };
  return { condition: { evaluate } };
}

/** What a condition must be able to cope with when it is written. */
const USUAL_ENTRIES = 64;

function sizesOf(lists: readonly string[], given: ListSizes, most: number): ListSizes {
  return Object.fromEntries(lists.map((name) => [name, given[name] ?? most]));
}

function tooMuch(steps: number): string {
  return `could take ${steps.toExponential(1)} steps, and ${MOST_STEPS} are the most`;
}

function whereAndWhat(text: string, error: unknown): string {
  const { summary, message, range } = error as { summary?: string; message?: string; range?: { start: number } };
  const what = summary ?? message?.split('\n')[0] ?? 'cannot be read';
  return `${range === undefined ? '' : place(text, range.start)}${what}`;
}

/** Characters are counted from 1. */
function place(text: string, start: number): string {
  const rest = text.slice(start, start + 24);
  return `at character ${start + 1}${rest === '' ? '' : ` (${rest})`}: `;
}
