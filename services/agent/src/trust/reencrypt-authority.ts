/** Replaces the key that a cluster's signing keys are encrypted with at rest. Whatever stops it, what lies there opens with the old key or with the new one. */
import { AppError } from '@hawser/runtime/app-error.ts';
import { readIfThere, writeDurably } from '@hawser/runtime/durable-file.ts';
import { type CaEncryption, type CaKeySource, defaultCaKeyFile, loadCaEncryption, newCaKey, type SealedFor } from './ca-encryption.ts';
import type { Generation, StoredAuthority } from './generation.ts';
import { GenerationStore, type NumberedState } from './generation-store.ts';

/** Which folder, by which key it opens, and where the new one is. */
export interface Reencryption {
  readonly identityDir: string;
  readonly from: CaKeySource;
  /** Holds the new key; without it the key that lies in the folder is replaced by one that is made. */
  readonly newKeyFile?: string | undefined;
}

/** What was done. */
export interface Reencrypted {
  /** Signing keys that are encrypted with the new key. */
  readonly keys: number;
  /** 16 hex digits that name the new key. */
  readonly by: string;
}

/** Throws `ca-key-wrong`, `ca-key-missing` and `ca-unusable` as `openAuthority` does, and then has changed nothing. */
export async function reencryptAuthority({ identityDir, from, newKeyFile }: Reencryption): Promise<Reencrypted> {
  const store = new GenerationStore(identityDir);
  const { stored } = await stateOf(store);
  if (newKeyFile !== undefined) {
    const next = await loadCaEncryption({ file: newKeyFile }, identityDir, false);
    return await sealAnew(store, await loadCaEncryption(from, identityDir, false), next);
  }
  if (from.value !== undefined || from.file !== undefined)
    throw new AppError('usage', 'the key is not in the identity folder: put the new one beside it, and name it with --new-ca-key-file');
  const path = defaultCaKeyFile(identityDir);
  const former = (await readIfThere(path))?.trim() ?? '';
  // That it opens is seen before anything is written.
  const present = await loadCaEncryption({}, identityDir, false);
  mapped(stored, (generation, of) => {
    if (generation.key !== undefined) present.open(generation.key, of);
    return generation;
  });
  const key = newCaKey();
  // Both, while some are sealed with one and some with the other; agents read the file again when they find something that they cannot open.
  const text = `${key}\n${former.split(/\s+/).slice(0, MOST_FORMER).join('\n')}\n`;
  await writeDurably(path, text);
  const both = await loadCaEncryption({}, identityDir, false);
  const done = await sealAnew(store, both, both);
  const left = (await readIfThere(path)) ?? '';
  await writeDurably(path, left === text ? `${key}\n` : `${key}\n${left}`);
  if (left === text) return done;
  throw new AppError('ca-unusable', 'somebody else replaced the key at the same time: run it again, nothing is lost');
}

/** Of attempts that stopped half way: the newest are in front. */
const MOST_FORMER = 6;

/** One state replaces another, whole: what agents change meanwhile is taken up. */
async function sealAnew(store: GenerationStore, from: CaEncryption, to: CaEncryption): Promise<Reencrypted> {
  for (;;) {
    const { number, stored } = await stateOf(store);
    const next = mapped(stored, (generation, of) => {
      const { key } = generation;
      return key === undefined || key.by === to.id ? generation : { ...generation, key: to.seal(from.open(key, of), of) };
    });
    const sealed = next.generations.filter(({ key }) => key !== undefined).length;
    if (JSON.stringify(next) === JSON.stringify(stored) || (await store.replace(number, next))) return { keys: sealed, by: to.id };
  }
}

async function stateOf(store: GenerationStore): Promise<NumberedState> {
  const state = await store.read();
  if (state !== undefined) return state;
  throw new AppError('ca-unusable', 'there is no encrypted authority in the folder: start its agent once');
}

function mapped(stored: StoredAuthority, to: (generation: Generation, of: SealedFor) => Generation): StoredAuthority {
  const each = (generation: Generation): Generation => to(generation, { trustDomain: stored.trustDomain, generation: generation.id });
  const { generations, door } = stored;
  return { ...stored, generations: generations.map(each), ...(door === undefined ? {} : { door: each(door) }) };
}
