/** What an API server says of an object → what the agent uses of it. Everything else is dropped here: it is most of the memory. Pure. */
import type { Static, TSchema } from 'typebox';
import Type from 'typebox';
import { Compile } from 'typebox/compile';

/** One object as it was read: its facts, why it has none, or that it is as good as gone. */
export interface ReadObject<Facts> {
  /** `NAMESPACE/NAME`, or the name alone. */
  readonly key: string;
  readonly facts?: Facts;
  /** Why it cannot be used; names the object and the field. */
  readonly problem?: string;
  readonly isGone?: true;
}

/** Reads objects of one kind; undefined for what has not even a name. */
export type ObjectReader<Facts> = (raw: unknown) => ReadObject<Facts> | undefined;

const StringMap = Type.Record(Type.String(), Type.String());

/** The served part of ObjectMeta. */
export const ObjectMeta = Type.Object({
  name: Type.String({ minLength: 1 }),
  namespace: Type.Optional(Type.String()),
  uid: Type.Optional(Type.String()),
  creationTimestamp: Type.Optional(Type.String()),
  deletionTimestamp: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  labels: Type.Optional(Type.Union([StringMap, Type.Null()])),
  annotations: Type.Optional(Type.Union([StringMap, Type.Null()])),
});
export type ObjectMeta = Static<typeof ObjectMeta>;

/** A field that Go may write as null. */
export function nullable<Schema extends TSchema>(schema: Schema) {
  return Type.Optional(Type.Union([schema, Type.Null()]));
}

const Named = Compile(
  Type.Object({ metadata: Type.Object({ name: ObjectMeta.properties.name, namespace: ObjectMeta.properties.namespace }) }),
);

/** A reader by the schema of the fields that are used; any others are welcome. Of an object that is as good as gone there are no facts. */
export function objectReader<Schema extends TSchema, Facts>(
  kind: string,
  schema: Schema,
  factsOf: (object: Static<Schema>) => Facts | undefined,
): ObjectReader<Facts> {
  const shape = Compile(schema);
  return (raw) => {
    if (!Named.Check(raw)) return undefined;
    const { name, namespace } = raw.metadata;
    const key = namespace === undefined ? name : `${namespace}/${name}`;
    if (shape.Check(raw)) {
      const facts = factsOf(raw as Static<Schema>);
      return facts === undefined ? { key, isGone: true } : { key, facts };
    }
    const [error] = shape.Errors(raw);
    const field = (error?.instancePath ?? '').slice(1).replaceAll('/', '.');
    return { key, problem: `${kind} ${key}: ${field}: ${error?.message ?? 'has not the shape of its kind'}; its last good state is kept` };
  };
}

/** A map of strings, or nothing where there is none. */
export function mapOf(map: Readonly<Record<string, string>> | null | undefined): Readonly<Record<string, string>> {
  return map ?? {};
}
