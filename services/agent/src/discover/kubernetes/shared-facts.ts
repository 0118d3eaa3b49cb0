/** One collection that several read: each has facts of the objects that concern it, and the API server is asked once. Pure. */
import Type from 'typebox';
import type { FactsSink } from './known-facts.ts';
import { mapOf, ObjectMeta, type ObjectReader, objectReader, type ReadObject } from './object-facts.ts';

/** What a reader goes by to see whether an object concerns it. */
export interface NamedObject {
  /** `NAMESPACE/NAME`, or the name alone. */
  readonly key: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** One of them. */
export interface FactsReader<Facts> {
  /** Every object unless given. One that concerns it no more is gone for it. */
  readonly concerns?: (object: NamedObject) => boolean;
  readonly read: ObjectReader<Facts>;
  readonly sink: FactsSink<Facts>;
}

/** What is told of an informer. */
export interface InformerView {
  /** Whether everything was listed once. */
  readonly listed: boolean;
  /** Of the version that the server has; undefined before it answered, and where it has none. */
  readonly path: string | undefined;
}

/** Whoever reads what the source follows. */
export interface OtherReaders {
  /** By the name of the kind. */
  readonly readers: Readonly<Record<string, readonly FactsReader<unknown>[]>>;
  /** This is the informer of a kind. */
  follows(name: string, informer: InformerView): void;
  /** Everything of a kind that they read was listed; its readers have it. */
  onList(): void;
}

/** What each reader made of an object, in their order; undefined where it does not concern it. */
type Parts = readonly (ReadObject<unknown> | undefined)[];

/** All readers as one. */
export function sharedFacts(readers: readonly FactsReader<unknown>[]): Pick<FactsReader<unknown>, 'read' | 'sink'> {
  const [only] = readers;
  if (only !== undefined && readers.length === 1 && only.concerns === undefined) return only;
  return { read: readEach(readers), sink: new EachSink(readers) };
}

const readLabels = objectReader('object', Type.Object({ metadata: Type.Pick(ObjectMeta, ['labels']) }), ({ metadata }) =>
  mapOf(metadata.labels),
);

/** Labels that cannot be read are no reason to leave an object out: its readers say what is wrong with it. */
function readEach(readers: readonly FactsReader<unknown>[]): ObjectReader<Parts> {
  return (raw) => {
    const named = readLabels(raw);
    if (named === undefined) return undefined;
    const { key, facts: labels } = named;
    const isMeant = ({ concerns }: FactsReader<unknown>): boolean => labels === undefined || concerns?.({ key, labels }) !== false;
    return { key, facts: readers.map((reader) => (isMeant(reader) ? reader.read(raw) : undefined)) };
  };
}

class EachSink implements FactsSink<Parts> {
  readonly #readers: readonly FactsReader<unknown>[];

  constructor(readers: readonly FactsReader<unknown>[]) {
    this.#readers = readers;
  }

  put({ key, facts = [] }: ReadObject<Parts>): void {
    for (const [index, { sink }] of this.#readers.entries()) {
      const own = facts[index];
      if (own === undefined) sink.remove(key);
      else sink.put(own);
    }
  }

  remove(key: string): void {
    for (const { sink } of this.#readers) sink.remove(key);
  }

  replace(objects: readonly ReadObject<Parts>[], namespace?: string): void {
    for (const [index, { sink }] of this.#readers.entries())
      sink.replace(
        objects.flatMap(({ facts = [] }) => facts[index] ?? []),
        namespace,
      );
  }
}
