/** PURE: from a field path, as errors name it, to the offset of that field in its YAML document. */
import { type Document, isAlias, isMap, isScalar, isSeq, type Node, type Pair, type ParsedNode } from 'yaml';

/** A document as the parser leaves it: every node has its range. */
export type ParsedDocument = Document<ParsedNode>;

/** Steps of a path: `spec.http[0].route["a.b"]` → `spec`, `http`, 0, `route`, `a.b`. */
export function parseFieldPath(path: string): (string | number)[] {
  const steps: (string | number)[] = [];
  for (const [, index, bracketed, plain] of path.matchAll(/\[([0-9]+)\]|\[["']?([^\]]*?)["']?\]|([^.[\]]+)/g)) {
    if (index !== undefined) steps.push(Number(index));
    else steps.push(bracketed ?? plain ?? '');
  }
  return steps;
}

/**
 * Offset of a field in the text. A field that is not there gives the nearest one above it that is. A scalar is shown at its value
 * (unless the key is what is wrong), anything else at its key.
 */
export function fieldOffset(document: ParsedDocument, path: string, at: 'value' | 'key' = 'value'): number {
  let steps = parseFieldPath(path);
  let node: unknown = document.contents;
  let offset = startOf(document.contents) ?? 0;
  while (steps.length > 0) {
    const step = stepInto(resolved(node, document), steps);
    if (step === undefined) break;
    node = step.value;
    offset = (isScalar(node) && at === 'value' ? startOf(node) : undefined) ?? step.offset ?? offset;
    steps = steps.slice(step.taken);
  }
  return offset;
}

interface Step {
  readonly value: unknown;
  readonly offset: number | undefined;
  /** How many steps of the path it used: keys may hold dots (`metadata.annotations.hawser.dev/clusters`). */
  readonly taken: number;
}

function stepInto(node: unknown, steps: readonly (string | number)[]): Step | undefined {
  if (isSeq(node)) {
    const item = typeof steps[0] === 'number' ? node.items[steps[0]] : undefined;
    return item === undefined ? undefined : { value: item, offset: startOf(item), taken: 1 };
  }
  if (!isMap(node)) return undefined;
  for (let taken = steps.length; taken > 0; taken -= 1) {
    const pair = pairNamed(node.items, steps.slice(0, taken).join('.'));
    if (pair !== undefined) return { value: pair.value, offset: startOf(pair.key), taken };
  }
  return undefined;
}

function pairNamed(pairs: readonly Pair[], name: string): Pair | undefined {
  return pairs.find(({ key }) => isScalar(key) && String(key.value) === name);
}

function resolved(node: unknown, document: ParsedDocument): unknown {
  return isAlias(node) ? node.resolve(document) : node;
}

function startOf(node: unknown): number | undefined {
  return (node as Node | null | undefined)?.range?.[0];
}
