import { KINDS, type KindDescriptor, kindNamed } from '@hawser/model/kinds.ts';
import { AppError } from '@hawser/runtime/app-error.ts';

/** The kind a user named, by its kind, plural or short name; throws a usage error that lists them. */
export function kindArgument(word: string): KindDescriptor {
  const found = kindNamed(word);
  if (found !== undefined) return found;
  const names = KINDS.map(({ plural, shortNames }) => [plural, ...shortNames].join('|'));
  throw new AppError('usage', `there is no kind ${word}; the hub serves ${names.join(', ')}`);
}

/** Splits `KIND NAME` or `KIND/NAME` arguments. */
export function kindAndName(kindWord: string, name: string | undefined): { kind: KindDescriptor; name: string | undefined } {
  const slash = kindWord.indexOf('/');
  if (slash === -1 || name !== undefined) return { kind: kindArgument(kindWord), name };
  return { kind: kindArgument(kindWord.slice(0, slash)), name: kindWord.slice(slash + 1) };
}
