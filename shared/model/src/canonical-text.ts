/** JSON as RFC 8785 (JCS) writes it: equal values give equal bytes, in every language, so that a signature can be checked anywhere. Pure. */

/** The text of a value. Throws `TypeError` for what I-JSON has not got: numbers that are not finite, lone surrogates, anything but JSON's types. */
export function canonicalText(value: unknown): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return textOf(value);
  // ECMAScript's own form of a number is the one that RFC 8785 section 3.2.2.3 asks for.
  if (typeof value === 'number' && Number.isFinite(value)) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(',')}]`;
  if (typeof value !== 'object') throw new TypeError(`${String(value)} cannot be written as JSON`);
  // By UTF-16 code units (section 3.2.3), as `<` compares; what is undefined is not there.
  const fields = Object.entries(value).filter(([, inner]) => inner !== undefined);
  const sorted = fields.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${sorted.map(([name, inner]) => `${textOf(name)}:${canonicalText(inner)}`).join(',')}}`;
}

function textOf(text: string): string {
  if (!text.isWellFormed()) throw new TypeError('text with half of a surrogate pair cannot be written as JSON');
  return JSON.stringify(text);
}
