/** PURE: JSON as bodies are read: a key that is given twice is refused with its path, where JSON.parse would let the last win in silence. */
import { fieldPath } from '@hawser/model/validate-schema.ts';
import { StatusError } from './status.ts';

/** No resource is nested half as deep; what recurses over a body must not run out of stack. */
const DEEPEST = 500;
/** A quote, a bracket, a comma; all else carries no structure. */
const MARK = /["{}[\],]/g;

interface Level {
  /** Of an object: the keys so far. */
  readonly keys: Set<string> | undefined;
  /** Where in it the scan is: a key, or an index. */
  step: string | number;
}

/** Reads a body that JSON.parse accepts; throws `BadRequest` naming every key that is given more than once. */
export function requireUniqueKeys(text: string): void {
  const twice = [...new Set(repeatedKeys(text))];
  if (twice.length === 0) return;
  const causes = twice.map((field) => ({ reason: 'FieldValueDuplicate', message: 'is given more than once', field }));
  throw new StatusError('BadRequest', `the body names a field twice, and it cannot be known which is meant: ${twice.join(', ')}`, {
    causes,
  });
}

/** Paths of keys that repeat, in the order of the text, which must be valid JSON. Throws `BadRequest` for what is nested too deep. */
export function repeatedKeys(text: string): readonly string[] {
  const found: string[] = [];
  const levels: Level[] = [];
  let isKeyNext = false;
  const mark = new RegExp(MARK);
  for (let match = mark.exec(text); match !== null; match = mark.exec(text)) {
    const level = levels.at(-1);
    const [token] = match;
    if (token === '"') {
      mark.lastIndex = endOfString(text, match.index);
      if (isKeyNext && level !== undefined && takeKey(level, text.slice(match.index, mark.lastIndex)))
        found.push(fieldPath(levels.map(({ step }) => step)));
      isKeyNext = false;
    } else if (token === '{' || token === '[') {
      if (levels.length >= DEEPEST) throw new StatusError('BadRequest', `the body is nested deeper than ${DEEPEST} levels`);
      levels.push(token === '{' ? { keys: new Set(), step: '' } : { keys: undefined, step: 0 });
      isKeyNext = token === '{';
    } else if (token === ',') {
      isKeyNext = level?.keys !== undefined;
      if (level !== undefined && typeof level.step === 'number') level.step += 1;
    } else levels.pop();
  }
  return found;
}

/** Notes a key as JSON has it; answers whether it was there already. */
function takeKey(level: Level, json: string): boolean {
  const key = json.includes('\\') ? (JSON.parse(json) as string) : json.slice(1, -1);
  level.step = key;
  const isTwice = level.keys?.has(key) === true;
  level.keys?.add(key);
  return isTwice;
}

/** Behind the quote that ends the string which begins here. No regular expression: those recurse over what repeats. */
function endOfString(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at !== -1; at = text.indexOf('"', at + 1)) {
    let slashes = 0;
    while (text[at - 1 - slashes] === '\\') slashes += 1;
    if (slashes % 2 === 0) return at + 1;
  }
  return text.length;
}
