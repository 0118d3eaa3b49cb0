/** Reads the spec of a kind out of a TypeScript declaration as `@kubernetes-models` writes it: type literals, arrays, maps, unions. */

/** A type of a spec. */
export type SpecType =
  | ObjectType
  /** `string`, `number`, `boolean`, or literals in double quotes. */
  | { readonly kind: 'leaf'; readonly of: readonly string[] }
  | { readonly kind: 'list'; readonly items: SpecType }
  | { readonly kind: 'map'; readonly values: SpecType };

/** An object with named fields. */
export interface ObjectType {
  readonly kind: 'object';
  readonly properties: readonly Property[];
}

/** One of its fields. */
export interface Property {
  readonly name: string;
  readonly optional: boolean;
  /** One line; empty when there is none. */
  readonly description: string;
  readonly type: SpecType;
}

/** The type of `spec` in an interface. Throws when the text is not of the form it knows. */
export function parseSpec(text: string, interfaceName: string): ObjectType {
  const start = text.indexOf(`interface ${interfaceName} {`);
  const reader = new Reader(text.slice(start + `interface ${interfaceName} `.length));
  const type = reader.type();
  const spec = type.kind === 'object' ? type.properties.find(({ name }) => name === 'spec')?.type : undefined;
  if (spec?.kind !== 'object') throw new Error(`${interfaceName} has no spec`);
  return spec;
}

const TOKEN = /\/\*\*([\s\S]*?)\*\/|"((?:[^"\\]|\\.)*)"|[A-Za-z_]\w*|[{}[\]()<>,;:?&|=]/g;

interface Token {
  readonly text: string;
  readonly comment?: string;
}

class Reader {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(text: string) {
    this.#tokens = [...text.matchAll(TOKEN)].map(([token, comment]) =>
      comment === undefined ? { text: token } : { text: '/**', comment },
    );
  }

  /** Of a union of objects the first says all fields, as of an intersection: the rest only tells which go together. */
  type(): SpecType {
    this.#comment();
    const members = [this.#intersection()];
    while (this.#take('|')) members.push(this.#intersection());
    const [first] = members;
    if (first === undefined) throw this.#unexpected();
    const leaves = members.flatMap((member) => (member.kind === 'leaf' ? member.of : []));
    return first.kind === 'leaf' ? { kind: 'leaf', of: leaves } : first;
  }

  #intersection(): SpecType {
    const first = this.#primary();
    while (this.#take('&')) this.#primary();
    return first;
  }

  #primary(): SpecType {
    const { text } = this.#next();
    if (text === '{') return this.#braces();
    if (text === '(') return this.#then(this.type(), ')');
    if (text === 'Array') {
      this.#expect('<');
      return { kind: 'list', items: this.#then(this.type(), '>') };
    }
    if (text.startsWith('"') || ['string', 'number', 'boolean'].includes(text)) return { kind: 'leaf', of: [text] };
    if (this.#take('<')) {
      do this.type();
      while (this.#take(','));
      this.#expect('>');
    }
    return { kind: 'object', properties: [] };
  }

  #braces(): SpecType {
    if (this.#take('[')) {
      while (!this.#take(']')) this.#next();
      this.#expect(':');
      const values = this.type();
      this.#take(';');
      this.#expect('}');
      return { kind: 'map', values };
    }
    const properties: Property[] = [];
    for (;;) {
      const description = this.#comment();
      if (this.#take('}')) return { kind: 'object', properties };
      const name = this.#next().text.replaceAll('"', '');
      const optional = this.#take('?');
      this.#expect(':');
      properties.push({ name, optional, description, type: this.type() });
      this.#take(';');
    }
  }

  /** Without links and what is only for generated documentation. */
  #comment(): string {
    const comment = this.#tokens[this.#at]?.comment;
    if (comment === undefined) return '';
    this.#at += 1;
    const lines = comment.split('\n').map((line) => line.replace(/^\s*\*? ?/, '').trim());
    return lines
      .filter((line) => line !== '' && !line.startsWith('Valid Options:'))
      .join(' ')
      .replaceAll(/\s*See more details at: \S+/g, '')
      .replaceAll(/\[([^\]]+)\]\([^)]+\)/g, '$1');
  }

  #then<Result>(result: Result, text: string): Result {
    this.#comment();
    this.#expect(text);
    return result;
  }

  #take(text: string): boolean {
    if (this.#tokens[this.#at]?.text !== text) return false;
    this.#at += 1;
    return true;
  }

  #expect(text: string): void {
    if (!this.#take(text)) throw this.#unexpected();
  }

  #next(): Token {
    const token = this.#tokens[this.#at];
    if (token === undefined) throw this.#unexpected();
    this.#at += 1;
    return token;
  }

  #unexpected(): Error {
    const around = this.#tokens.slice(Math.max(0, this.#at - 5), this.#at + 5).map(({ text }) => text);
    return new Error(`not a declaration that can be read, at ${around.join(' ')}`);
  }
}
