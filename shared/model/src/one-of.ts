/** A schema of one word out of a list, with its type. */
import Type, { type TLiteral, type TUnion } from 'typebox';

type Words<T extends readonly string[]> = { -readonly [Index in keyof T]: TLiteral<T[Index]> };

/** One of these words. */
export function oneOf<const T extends readonly string[]>(words: T, description: string): TUnion<Words<T>> {
  const union = Type.Union(
    words.map((word) => Type.Literal(word)),
    { description },
  );
  return union as unknown as TUnion<Words<T>>;
}
