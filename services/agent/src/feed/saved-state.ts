/** The last good state as it is on disk: sealed documents, which prove themselves, and what only this agent knows. */
import { EndpointShard } from '@hawser/model/endpoint-shard.ts';
import { serviceKey } from '@hawser/model/service-host.ts';
import { XdsType } from '@hawser/wire/messages.ts';
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import type { LocalState } from '../discover/local-source.ts';
import { type RegistryObject, SOURCE_KINDS } from '../discover/registry-kinds.ts';
import { savedCredentials } from '../discover/secrets.ts';
import type { LapsedTrust } from '../state/lapsed-trust.ts';
import type { SavedProbation } from '../state/policy-probation.ts';

const Probation = Type.Object({
  refused: Type.Array(
    Type.Object({
      ...{ key: Type.String(), hash: Type.String(), revision: Type.Integer() },
      refusal: Type.Object({
        ...{
          proxy: Type.String(),
          type: XdsType,
          resource: Type.String(),
          version: Type.String(),
          message: Type.String(),
          at: Type.String(),
        },
      }),
    }),
  ),
  standIns: Type.Array(
    Type.Object({
      key: Type.String(),
      policy: Type.Union([
        Type.Null(),
        Type.Object({ kind: Type.String(), metadata: Type.Object({ name: Type.String() }), spec: Type.Unknown() }),
      ]),
    }),
  ),
});

/** Version 1 of the file. Messages are base64. */
export const SavedState = Type.Object({
  version: Type.Literal(1),
  cluster: Type.String(),
  /** Epoch of the own documents: another enrolment starts anew. */
  epoch: Type.Integer(),
  config: Type.Array(Type.String()),
  fleet: Type.Array(Type.String()),
  /** The hub's revision that was served. */
  moment: Type.Optional(Type.Object({ epoch: Type.Integer(), revision: Type.Integer() })),
  /** Absent from files of an earlier release: then everything saved counts as accepted. */
  probation: Type.Optional(Type.Unsafe<SavedProbation>(Probation)),
  files: Type.Array(
    Type.Object({ file: Type.String(), objects: Type.Array(Type.Unsafe<RegistryObject>(Type.Union([...SOURCE_KINDS.values()]))) }),
  ),
  shards: Type.Array(EndpointShard),
  failing: Type.Array(Type.String()),
  draining: Type.Array(Type.String()),
  /** Certificates for edge proxies; absent from files of an earlier release. The file is its owner's alone. */
  credentials: Type.Optional(
    Type.Array(
      Type.Object({
        namespace: Type.String(),
        name: Type.String(),
        keyPair: Type.Optional(Type.Object({ certificate: Type.String(), key: Type.String() })),
        authorities: Type.Optional(Type.String()),
        revoked: Type.Optional(Type.String()),
        problem: Type.Optional(Type.String()),
      }),
    ),
  ),
  /** Who was believed and is not any more; absent from files of an earlier release. */
  lapsed: Type.Optional(Type.Unsafe<LapsedTrust>(Type.Object({ domains: Type.Array(Type.String()), clusters: Type.Array(Type.String()) }))),
  /** Drills that are over here, by uid; absent where there are none. */
  drills: Type.Optional(Type.Array(Type.String())),
  /** Upstreams that proxies asked for, and when, in ms since 1970; absent from files of an earlier release. */
  use: Type.Optional(Type.Array(Type.Object({ namespace: Type.String(), upstream: Type.String(), askedAt: Type.Number() }))),
  proxies: Type.Array(
    Type.Object({
      role: Type.Union([Type.Literal('sidecar'), Type.Literal('gateway'), Type.Literal('edge')]),
      address: Type.String(),
      /** Absent from files of an earlier release, as what follows: such a proxy is served the common view until it connects. */
      name: Type.Optional(Type.String()),
      namespace: Type.Optional(Type.String()),
      serviceAccount: Type.Optional(Type.String()),
      labels: Type.Optional(Type.Record(Type.String(), Type.String())),
      capture: Type.Optional(Type.Union([Type.Literal('ipv4'), Type.Literal('dual')])),
      fetchesUpstreams: Type.Optional(Type.Literal(true)),
      outboundAddress: Type.Optional(Type.String()),
      outboundGateway: Type.Optional(Type.Literal(true)),
    }),
  ),
});
export type SavedState = Static<typeof SavedState>;

/** Compiled at the first state: it is a large one, and an agent's first start has none. */
let shape: ReturnType<typeof compileShape> | undefined;
const compileShape = () => Compile(SavedState);

/** Reads one generation; throws when it is not a state of this cluster's present enrolment. */
export function acceptSavedState(content: unknown, cluster: string, epoch: number): SavedState {
  shape ??= compileShape();
  if (!shape.Check(content)) throw new Error('it has not the shape of a saved state');
  if (content.cluster !== cluster) throw new Error(`it is of cluster ${content.cluster}`);
  if (content.epoch !== epoch) throw new Error(`it is of epoch ${content.epoch}, before the cluster joined again`);
  return content;
}

/** The local part of a state. */
export function localStateOf(saved: SavedState): LocalState {
  return {
    files: new Map(saved.files.map(({ file, objects }) => [file, objects])),
    shards: new Map(saved.shards.map((shard) => [serviceKey(shard), shard])),
    failing: saved.failing,
    draining: saved.draining,
    credentials: savedCredentials(saved.credentials ?? []),
  };
}

/** The local part as it is saved. */
export function savedLocal(local: LocalState): Pick<SavedState, 'files' | 'shards' | 'failing' | 'draining' | 'credentials'> {
  return {
    files: [...local.files].map(([file, objects]) => ({ file, objects: [...objects] })),
    shards: [...local.shards.values()],
    failing: [...local.failing],
    draining: [...local.draining],
    ...(local.credentials.size === 0 ? {} : { credentials: [...local.credentials.values()] }),
  };
}

/** Base64 messages as bytes. */
export function decoded(messages: readonly string[]): Uint8Array[] {
  return messages.map((message) => Buffer.from(message, 'base64'));
}

/**
 * A state as JSON text, piece by piece: of a large cluster it is megabytes, which nobody should hold at once. The objects of a registry and the
 * shards are never changed in place, so each is encoded once.
 */
export function* encodedState({ files, shards, ...rest }: SavedState): Generator<string> {
  yield `${JSON.stringify(rest).slice(0, -1)},"files":[`;
  for (const [at, { file, objects }] of files.entries())
    yield `${at === 0 ? '' : ','}{"file":${JSON.stringify(file)},"objects":[${objects.map(jsonOf).join(',')}]}`;
  yield '],"shards":[';
  for (const [at, shard] of shards.entries()) yield at === 0 ? jsonOf(shard) : `,${jsonOf(shard)}`;
  yield ']}';
}

const texts = new WeakMap<object, string>();

function jsonOf(value: object): string {
  const known = texts.get(value);
  if (known !== undefined) return known;
  const text = JSON.stringify(value);
  texts.set(value, text);
  return text;
}
