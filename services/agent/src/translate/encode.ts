/** From messages to the bytes that are served. */
import { type DescMessage, type MessageShape, toBinary } from '@bufbuild/protobuf';
import { sha256 } from '@hawser/runtime/canonical-json.ts';
import type { XdsType } from '@hawser/wire/messages.ts';
import type { XdsResource } from '../snapshot/resource.ts';

/** The version of a resource: the first 16 hex digits of the SHA-256 of its bytes. */
export function versionOf(bytes: Uint8Array): string {
  return sha256(bytes).slice(0, 16);
}

/** Encodes a message. Equal messages give equal bytes when their maps were filled in the same order: builders sort. */
export function encoded<Desc extends DescMessage>(type: XdsType, name: string, message: MessageShape<Desc>, schema: Desc): XdsResource {
  const bytes = toBinary(schema, message);
  return { type, name, version: versionOf(bytes), bytes };
}

/** A resource of pieces that others share; they are joined for who asks for all of it in one. The version is the caller's to make. */
export function inPieces(named: Pick<XdsResource, 'type' | 'name' | 'version' | 'copiesTo'>, pieces: readonly Uint8Array[]): XdsResource {
  let joined: Uint8Array | undefined;
  return {
    ...named,
    pieces,
    get bytes() {
      joined ??= Buffer.concat(pieces);
      return joined;
    },
  };
}

/**
 * An assignment takes its cluster's version into its own, so that a changed cluster brings its endpoints along:
 * Envoy warms the new one without asking for them again (RELIABILITY.md 0.1 E).
 */
export function tiedTo(cluster: XdsResource, assignment: XdsResource): XdsResource {
  return { ...assignment, version: sha256(`${cluster.version}/${assignment.version}`).slice(0, 16) };
}
