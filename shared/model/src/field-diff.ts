/** What differs between two JSON values, field by field. Pure. */
import { fieldPath } from './validate-schema.ts';

/** One difference; a side that lacks the field lacks the value. */
export interface FieldChange {
  /** As `spec.http[0].timeout`; members of a list of named things by name: `virtualHosts[reviews:80]`. */
  readonly path: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

/** Every difference, in the order of the fields of both. Lists whose members all have a name of their own are compared by it. */
export function fieldChanges(before: unknown, after: unknown, path = ''): readonly FieldChange[] {
  if (isList(before) && isList(after)) return listChanges(before, after, path);
  if (isRecord(before) && isRecord(after)) {
    const names = new Set([...Object.keys(before), ...Object.keys(after)]);
    return [...names].flatMap((name) => fieldChanges(before[name], after[name], joined(path, name)));
  }
  if (JSON.stringify(before) === JSON.stringify(after)) return [];
  return [{ path, ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) }];
}

function listChanges(before: readonly unknown[], after: readonly unknown[], path: string): readonly FieldChange[] {
  const [old, now] = [byName(before), byName(after)];
  if (old === undefined || now === undefined) return unnamedChanges(before, after, path);
  const kept = (one: ReadonlyMap<string, unknown>, other: ReadonlyMap<string, unknown>): string =>
    JSON.stringify([...one.keys()].filter((name) => other.has(name)));
  const changes = [...new Set([...old.keys(), ...now.keys()])].flatMap((name) =>
    fieldChanges(old.get(name), now.get(name), `${path}[${name}]`),
  );
  // The same members in another order mean something else to whoever reads them in order.
  if (kept(old, now) === kept(now, old)) return changes;
  return [...changes, { path: `${path} (order)`, before: [...old.keys()], after: [...now.keys()] }];
}

/** What both begin and end with is left alone, so that one inserted member is one change. */
function unnamedChanges(before: readonly unknown[], after: readonly unknown[], path: string): readonly FieldChange[] {
  const shorter = Math.min(before.length, after.length);
  let start = 0;
  while (start < shorter && same(before[start], after[start])) start += 1;
  let tail = 0;
  while (tail < shorter - start && same(before.at(-1 - tail), after.at(-1 - tail))) tail += 1;
  const [old, now] = [before.slice(start, before.length - tail), after.slice(start, after.length - tail)];
  const length = Math.max(old.length, now.length);
  return Array.from({ length }).flatMap((_, index) => fieldChanges(old[index], now[index], `${path}[${start + index}]`));
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Members by their name; undefined unless each has one of its own. */
function byName(list: readonly unknown[]): ReadonlyMap<string, unknown> | undefined {
  const named = new Map<string, unknown>();
  for (const item of list) {
    const name = isRecord(item) ? item['name'] : undefined;
    if (typeof name !== 'string' || named.has(name)) return undefined;
    named.set(name, item);
  }
  return named;
}

function joined(path: string, name: string): string {
  const step = fieldPath([name]);
  return path === '' || step.startsWith('[') ? `${path}${step}` : `${path}.${step}`;
}

function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
