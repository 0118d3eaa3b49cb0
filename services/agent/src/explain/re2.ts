/** Envoy's regular expressions (RE2), evaluated here: against the whole text, and never for long, whatever somebody wrote. */
import { createContext, Script } from 'node:vm';

/** Whether a text meets an expression; undefined when that cannot be said. */
export type RegexTest = (regex: string, text: string) => boolean | undefined;

/** All expressions of one question together may take this long: JavaScript's may be exponential where RE2's are not. */
const BUDGET_MS = 500;

const TEST = new Script('new RegExp(source, flags).test(text)');

/** A test with a budget of its own. */
export function regexTest(): RegexTest {
  let left = BUDGET_MS;
  return (regex, text) => {
    const { source, flags } = toJavaScript(regex);
    if (left < 1) return undefined;
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

/** RE2's syntax in the words of JavaScript. */
function toJavaScript(regex: string): { readonly source: string; readonly flags: string } {
  const [, own = ''] = /^\(\?([ims]+)\)/.exec(regex) ?? [];
  const body = regex
    .replace(/^\(\?[imsU]+\)/, '')
    .replaceAll('(?P<', '(?<')
    .replaceAll('\\A', '^')
    .replaceAll('\\z', '$')
    .replace(/\[:(\^?)([a-z]+):\]/g, (whole, not: string, name: string) => (not === '' ? (CLASSES[name] ?? whole) : whole));
  return { source: `^(?:${body})$`, flags: own };
}

/** Inside of brackets. */
const CLASSES: Readonly<Record<string, string>> = {
  ...{ alpha: 'A-Za-z', digit: '0-9', alnum: '0-9A-Za-z', upper: 'A-Z', lower: 'a-z', word: '\\w', space: '\\s', xdigit: '0-9A-Fa-f' },
};
