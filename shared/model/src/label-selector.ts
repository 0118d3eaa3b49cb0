/** Kubernetes label selectors: `a=b,c!=d,e in (x,y),f notin (z),g,!h`. Pure. */

/** One requirement; all of a selector's must hold. As in Kubernetes, `!=` and `notin` hold where the label is absent. */
export interface Requirement {
  readonly key: string;
  readonly operator: 'in' | 'notin' | 'exists' | 'absent';
  /** Empty for `exists` and `absent`. */
  readonly values: readonly string[];
}
export type LabelSelector = readonly Requirement[];

const MAX_LENGTH = 4096;
const KEY = '(?:[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?';
const VALUE = '(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?';
const EQUALITY = new RegExp(`^(${KEY})\\s*(==|=|!=)\\s*(${VALUE})$`);
const SET = new RegExp(`^(${KEY})\\s+(in|notin)\\s*\\(([^()]*)\\)$`);
const PRESENCE = new RegExp(`^(!?)\\s*(${KEY})$`);
const WHOLE_KEY = new RegExp(`^${KEY}$`);
const WHOLE_VALUE = new RegExp(`^${VALUE}$`);

/** Whether text is a label's key: an optional DNS prefix and a name of at most 63 characters. */
export function isLabelKey(text: string): boolean {
  return WHOLE_KEY.test(text);
}

/** Whether text is a label's value: at most 63 characters, or empty. */
export function isLabelValue(text: string): boolean {
  return WHOLE_VALUE.test(text);
}

/** Reads a selector; the empty one matches everything. On a mistake: what is wrong, for people. */
export function parseLabelSelector(text: string): LabelSelector | { readonly problem: string } {
  if (text.trim() === '') return [];
  if (text.length > MAX_LENGTH) return { problem: `is longer than ${MAX_LENGTH} characters` };
  const requirements: Requirement[] = [];
  for (const part of splitOutsideParentheses(text)) {
    const requirement = parseRequirement(part.trim());
    if (requirement === undefined) {
      return { problem: `"${part.trim()}" is not a requirement; write key=value, key!=value, key in (a,b), key notin (a,b), key or !key` };
    }
    requirements.push(requirement);
  }
  return requirements;
}

/** Whether labels satisfy every requirement. */
export function matchesSelector(selector: LabelSelector, labels: Readonly<Record<string, string>>): boolean {
  return selector.every(({ key, operator, values }) => {
    const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
    if (operator === 'exists') return value !== undefined;
    if (operator === 'absent') return value === undefined;
    return (value !== undefined && values.includes(value)) === (operator === 'in');
  });
}

function parseRequirement(part: string): Requirement | undefined {
  const [, key = '', sign, value = ''] = EQUALITY.exec(part) ?? [];
  if (sign !== undefined) return { key, operator: sign === '!=' ? 'notin' : 'in', values: [value] };
  const [, setKey = '', word, list = ''] = SET.exec(part) ?? [];
  if (word !== undefined) {
    const values = list.split(',').map((entry) => entry.trim());
    return values.every(isLabelValue) ? { key: setKey, operator: word === 'in' ? 'in' : 'notin', values } : undefined;
  }
  const [, negation, present = ''] = PRESENCE.exec(part) ?? [];
  return negation === undefined ? undefined : { key: present, operator: negation === '!' ? 'absent' : 'exists', values: [] };
}

function splitOutsideParentheses(text: string): readonly string[] {
  return text.split(/,(?![^()]*\))/);
}
