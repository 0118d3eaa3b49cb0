/** The JSON merge patch (RFC 7396) that makes one value another. Pure. */

/** A JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** The patch; undefined when they are equal. Lists are replaced whole, as the RFC has it. Neither side may hold nulls. */
export function mergePatch(from: JsonObject, to: JsonObject): JsonObject | undefined {
  const patch: Record<string, unknown> = {};
  for (const key of new Set([...Object.keys(from), ...Object.keys(to)])) {
    const [before, after] = [from[key], to[key]];
    if (after === undefined) {
      if (before !== undefined) patch[key] = null;
    } else if (isObject(before) && isObject(after)) {
      const inner = mergePatch(before, after);
      if (inner !== undefined) patch[key] = inner;
    } else if (!isEqual(before, after)) patch[key] = after;
  }
  return Object.keys(patch).length === 0 ? undefined : patch;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** JSON values; the order of keys says nothing, that of lists does. */
function isEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((one, index) => isEqual(one, b[index]));
  return isObject(a) && isObject(b) && mergePatch(a, b) === undefined;
}
