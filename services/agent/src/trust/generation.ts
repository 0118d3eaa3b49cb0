/** PURE: the signing generations of one trust domain, as they are kept, and what follows from them. */
import { createHash, X509Certificate } from 'node:crypto';
import Type, { type Static } from 'typebox';
import { SealedKey } from './ca-encryption.ts';
import type { GenerationView } from './rotation.ts';

const State = Type.Union([
  Type.Literal('prepared'),
  Type.Literal('active'),
  Type.Literal('old'),
  Type.Literal('tainted'),
  Type.Literal('retired'),
]);

/** One signing generation. */
export const Generation = Type.Object(
  {
    /** Hex SHA-256 of the certificate's DER. */
    id: Type.String(),
    kind: Type.Union([Type.Literal('root'), Type.Literal('intermediate')]),
    state: State,
    origin: Type.Union([Type.Literal('made'), Type.Literal('brought')]),
    rotation: Type.Optional(Type.String()),
    /** PEM. */
    certificate: Type.String(),
    /** PEM, from its issuer upwards, without the root. */
    chain: Type.Array(Type.String()),
    /** PEM; the certificate itself for a root. */
    root: Type.String(),
    /** Destroyed when it retires. */
    key: Type.Optional(SealedKey),
  },
  { additionalProperties: false },
);
export type Generation = Static<typeof Generation>;

/** Everything that is kept; in the order in which they came. */
export const StoredAuthority = Type.Object(
  {
    version: Type.Literal(1),
    trustDomain: Type.String(),
    generations: Type.Array(Generation),
    /** What the agent's own door is signed by: the first generation, kept when it retires, because proxies know the door by a file. */
    door: Type.Optional(Generation),
    /** ID of the generation that replaced another at once, last: connections that were made before end. */
    severed: Type.Optional(Type.String()),
  },
  { additionalProperties: false },
);
export type StoredAuthority = Static<typeof StoredAuthority>;

/** The ID of a certificate as a generation. */
export function fingerprint(pem: string): string {
  return createHash('sha256').update(new X509Certificate(pem).raw).digest('hex');
}

/** The trust bundle: roots of everything that is not retired, PEM, sorted. */
export function bundleOf(generations: readonly Generation[]): readonly string[] {
  const roots = new Map(generations.filter(({ state }) => state !== 'retired').map(({ root }) => [root.trim(), root]));
  return [...roots.values()].sort();
}

/** What proxies know the agent's door by: its root, and the bundle, which it may be signed by next. PEM, sorted. */
export function doorBundleOf({ generations, door }: StoredAuthority): readonly string[] {
  const roots = new Map([...bundleOf(generations), ...(door === undefined ? [] : [door.root])].map((root) => [root.trim(), root]));
  return [...roots.values()].sort();
}

/** The one that signs. */
export function activeOf(generations: readonly Generation[]): Generation | undefined {
  return generations.find(({ state }) => state === 'active');
}

/** The generation whose certificate is the root of `of`: itself, or the root that an intermediate is below; undefined when only its certificate is here. */
export function rootGenerationOf(generations: readonly Generation[], of: Generation): Generation | undefined {
  const id = fingerprint(of.root);
  return generations.find((each) => each.id === id);
}

/** What anybody may know of it. */
export function viewOf(generation: Generation): GenerationView {
  const { id, kind, state, origin, rotation, certificate, root } = generation;
  const read = new X509Certificate(certificate);
  return {
    ...{ id, kind, state, origin, ...(rotation === undefined ? {} : { rotation }) },
    subject: read.subject.replaceAll('\n', ','),
    root: kind === 'root' ? id : fingerprint(root),
    notBefore: read.validFromDate.toISOString(),
    notAfter: read.validToDate.toISOString(),
  };
}
