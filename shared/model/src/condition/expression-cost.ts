/** What an expression costs at most, before it is evaluated: nothing that CEL says here may loop for longer than that. Pure. */
import type { ASTNode } from '@marcbachmann/cel-js';

/** How many entries each list of the world has, by the name of the variable or field (`regions`). */
export type ListSizes = Readonly<Record<string, number>>;

/** Refused, and where: offsets into the expression's text. */
export interface Misuse {
  readonly problem: string;
  readonly start: number;
}

/** Functions that cost no more than they seem to. `map`, `cel.bind`, `join` and others can make values that grow with every use, and `matches` backtracks. */
const FUNCTIONS: ReadonlySet<string> = new Set([
  ...['all', 'exists', 'exists_one', 'filter', 'has', 'size'],
  ...['contains', 'startsWith', 'endsWith', 'lowerAscii', 'upperAscii', 'double', 'int', 'string'],
]);
const COMPREHENSIONS: ReadonlySet<string> = new Set(['all', 'exists', 'exists_one', 'filter']);
/** The parser's own bound counts brackets; chains of `-` or `.` are counted here. */
const MAX_DEPTH = 12;

/** What is not allowed in an expression that was parsed; undefined when all of it is. */
export function misuseOf(node: ASTNode, depth = 1): Misuse | undefined {
  const at = (problem: string): Misuse => ({ problem, start: node.start });
  if (depth > MAX_DEPTH) return at(`is nested more than ${MAX_DEPTH} deep`);
  if (node.op === 'map') return at('makes a map, which conditions do without');
  const name = functionOf(node);
  if (name !== undefined && !FUNCTIONS.has(name)) {
    return at(`calls ${name}, which conditions do without; they have ${[...FUNCTIONS].join(', ')}`);
  }
  if (node.op === 'list') {
    const nested = node.args.find(({ op }) => op === 'list');
    if (nested !== undefined) return at('has a list within a list');
  }
  for (const child of childrenOf(node)) {
    const found = misuseOf(child, depth + 1);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Steps that evaluation takes at most: nodes, each as often as the lists around it have entries, and entries that are compared. */
export function costOf(node: ASTNode, sizes: ListSizes): number {
  if (node.op === 'rcall' && COMPREHENSIONS.has(node.args[0])) {
    const [, receiver, [, predicate]] = node.args;
    const body = predicate === undefined ? 1 : costOf(predicate, sizes);
    return 1 + costOf(receiver, sizes) + sizeOf(receiver, sizes) * (1 + body);
  }
  const compared = isBinary(node.op) ? childrenOf(node).reduce((sum, child) => sum + sizeOf(child, sizes), 0) : 0;
  return 1 + compared + childrenOf(node).reduce((sum, child) => sum + costOf(child, sizes), 0);
}

/** Entries that the value has at most; of what is no list, 1. */
function sizeOf(node: ASTNode, sizes: ListSizes): number {
  const named = (name: string): number => (Object.hasOwn(sizes, name) ? (sizes[name] ?? 1) : 1);
  switch (node.op) {
    case 'id':
      return named(node.args);
    case '.':
      return named(node.args[1]);
    case 'list':
      return node.args.length;
    case 'rcall':
      return node.args[0] === 'filter' ? sizeOf(node.args[1], sizes) : 1;
    case '+':
      return sizeOf(node.args[0], sizes) + sizeOf(node.args[1], sizes);
    case '?:':
      return Math.max(sizeOf(node.args[1], sizes), sizeOf(node.args[2], sizes));
    default:
      return 1;
  }
}

function functionOf(node: ASTNode): string | undefined {
  return node.op === 'call' || node.op === 'rcall' ? node.args[0] : undefined;
}

function isBinary(op: string): boolean {
  return ['==', '!=', 'in', '+'].includes(op);
}

/** Every node below, whatever the operator's arguments are made of. */
function childrenOf({ args }: ASTNode): readonly ASTNode[] {
  return [args].flat(2).filter(isNode);
}

function isNode(value: unknown): value is ASTNode {
  return value !== null && typeof value === 'object' && 'op' in value && 'args' in value;
}
