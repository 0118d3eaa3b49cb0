/**
 * How large RE2's program for a pattern is at least. Envoy refuses programs of more than 100 instructions
 * (`re2.max_program_size.error_level`); RE2 merges what it can, so this counts what it cannot. Pure.
 */

/** Programs larger than this are refused by Envoy. */
export const MAX_PROGRAM_SIZE = 100;
/** Instructions of every program. */
const BASE = 2;

/** A lower bound of the program's size, for a pattern that is well-formed. */
export function leastProgramSize(pattern: string): number {
  return BASE + new Reader(pattern).alternatives();
}

/** One atom of a sequence: its text, to find what alternatives begin with alike, and its instructions. */
interface Atom {
  readonly text: string;
  readonly size: number;
}

/** One thing that can be repeated, other than a group. */
const ATOM = /^(?:\\Q.*?(?:\\E|$)|\\[pP]\{[^}]*\}|\\x\{[^}]*\}|\\x..|\\[pP].|\\.|\[\^?\]?(?:\[:[^\]]*:\]|\\.|[^\]])*\]|.)/su;

class Reader {
  readonly #pattern: string;
  #at = 0;

  constructor(pattern: string) {
    this.#pattern = pattern;
  }

  /** Up to the end, or the end of the group. */
  alternatives(): number {
    const sequences: Atom[][] = [[]];
    while (this.#at < this.#pattern.length && this.#peek() !== ')') {
      if (this.#peek() === '|') {
        this.#at += 1;
        sequences.push([]);
      } else sequences.at(-1)?.push(this.#repeated());
    }
    return branches(sequences);
  }

  #peek(): string {
    return this.#pattern[this.#at] ?? '';
  }

  #repeated(): Atom {
    const start = this.#at;
    let size = this.#one();
    for (;;) {
      const [quantifier, low, comma, high] = /^(?:[*+?]|\{(\d+)(,?)(\d*)\})\??/.exec(this.#pattern.slice(this.#at)) ?? [];
      if (quantifier === undefined) break;
      this.#at += quantifier.length;
      if (low !== undefined) size = repeatedSize(size, { least: Number(low), most: comma === '' ? low : high });
    }
    return { text: this.#pattern.slice(start, this.#at), size };
  }

  /** Instructions of one atom, which is read. */
  #one(): number {
    const rest = this.#pattern.slice(this.#at);
    const [group] = /^\((?:\?(?:P?<[^>]*>|[a-zA-Z-]*:?))?/.exec(rest) ?? [];
    if (group !== undefined) return this.#group(group);
    const [atom = ''] = ATOM.exec(rest) ?? [];
    this.#at += atom.length;
    if (atom.startsWith('\\Q')) return Math.max(0, atom.replace(/\\E$/, '').length - 2);
    return /^(?:[\^$]|\\[bBAzEQ])$/.test(atom) ? 0 : 1;
  }

  #group(opening: string): number {
    this.#at += opening.length;
    // Flags alone, as in (?i), are no group.
    if (/^\(\?[a-zA-Z-]*$/.test(opening) && this.#peek() === ')') {
      this.#at += 1;
      return 0;
    }
    const size = this.alternatives();
    this.#at += 1;
    return size;
  }
}

/** `most` is empty for no upper limit; each repeat that may be left out needs an instruction to decide. */
function repeatedSize(size: number, { least, most }: { readonly least: number; readonly most: string | undefined }): number {
  if (most === '' || most === undefined) return Math.max(1, least) * size;
  return Number(most) * size + (size === 0 ? 0 : Number(most) - least);
}

/** RE2 joins alternatives that begin alike, and makes one class of single characters. */
function branches(sequences: readonly (readonly Atom[])[]): number {
  const open = sequences.filter((sequence) => sequence.length > 0);
  const singles = open.filter((sequence) => sequence.length === 1 && sequence[0]?.size === 1);
  const longer = open.filter((sequence) => !singles.includes(sequence));
  const byFirst = Map.groupBy(longer, ([first]) => first?.text ?? '');
  let size = singles.length > 0 ? 1 : 0;
  for (const group of byFirst.values()) size += (group[0]?.[0]?.size ?? 0) + branches(group.map((sequence) => sequence.slice(1)));
  return size;
}
