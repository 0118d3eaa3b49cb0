/** Envoy's regular expressions (RE2), evaluated here: against the whole text, and never for long, whatever somebody wrote. */
import { createContext, Script } from 'node:vm';
import { javaScriptRegex } from '@hawser/model/javascript-regex.ts';

/** Whether a text meets an expression; undefined when that cannot be said. */
export type RegexTest = (regex: string, text: string) => boolean | undefined;

/** All expressions of one question together may take this long: JavaScript's may be exponential where RE2's are not. */
const BUDGET_MS = 500;

const TEST = new Script('new RegExp(source, flags).test(text)');

/** A test with a budget of its own. */
export function regexTest(): RegexTest {
  let left = BUDGET_MS;
  return (regex, text) => {
    const { source: body, flags, isSame } = javaScriptRegex(regex);
    if (left < 1 || !isSame) return undefined;
    const source = `^(?:${body})$`;
    const started = performance.now();
    try {
      return TEST.runInContext(createContext({ source, flags, text }), { timeout: Math.ceil(left) }) as boolean;
    } catch {
      return undefined;
    } finally {
      left -= performance.now() - started;
    }
  };
}
