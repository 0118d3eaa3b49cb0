/** RE2's syntax in the words of JavaScript, the one place that knows both. Pure. */

/** A pattern as JavaScript takes it. */
export interface JavaScriptRegex {
  readonly source: string;
  readonly flags: string;
  /** Whether it means the same texts; else its structure is the same, and nothing more. */
  readonly isSame: boolean;
}

/** Converts a pattern; what is no regular expression at all stays none. */
export function javaScriptRegex(pattern: string): JavaScriptRegex {
  const [leading = '', flags = ''] = /^\(\?([imsU]+)\)/.exec(pattern) ?? [];
  let isSame = true;
  const differs = (text: string): string => {
    isSame = false;
    return text;
  };
  const source = pattern
    .slice(leading.length)
    .replace(/\\([\s\S])/g, (escaped, letter: string) => ANCHORS[letter] ?? (OTHERWISE.includes(letter) ? differs(escaped) : escaped))
    .replaceAll('(?P<', '(?<')
    .replace(/\(\?([imsU]*)(?:-([imsU]+))?:/g, (_group, on: string, off = '') => modifiers(known(on), known(off)))
    .replace(/\(\?[imsU]*(-[imsU]+)?\)/g, () => differs(''))
    .replace(/\[:(\^?)([a-z]+):\]/g, (_class, not: string, name: string) => (not === '' ? CLASSES[name] : undefined) ?? differs('a'));
  return { source, flags: known(flags), isSame };
}

/** Greediness (U) decides about groups, not about what matches. */
function known(flags: string): string {
  return [...new Set(flags.replaceAll('U', ''))].join('');
}

function modifiers(on: string, off: string): string {
  return `(?${on}${off === '' ? '' : `-${off}`}:`;
}

const ANCHORS: Readonly<Record<string, string>> = { A: '^', z: '$' };
/** Letters that JavaScript reads otherwise after a backslash. */
const OTHERWISE = 'QECpPa';

/** Inside of brackets. */
const CLASSES: Readonly<Record<string, string>> = {
  ...{ alpha: 'A-Za-z', digit: '0-9', alnum: '0-9A-Za-z', upper: 'A-Z', lower: 'a-z', word: '\\w', space: '\\s', xdigit: '0-9A-Fa-f' },
};
