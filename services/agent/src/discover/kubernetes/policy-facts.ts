/** Policy of an API server as it is told to the hub: without what the server and its tools wrote into it. Pure. */
import { MAX_ADOPTED_BYTES } from '@hawser/model/adoption.ts';
import { CLUSTERS_ANNOTATION, type KindDescriptor } from '@hawser/model/kinds.ts';
import { apiVersionOf } from '@hawser/model/validate.ts';
import type { FoundPolicy } from '@hawser/wire/found-policies.ts';
import Type from 'typebox';
import { mapOf, nullable, ObjectMeta, type ObjectReader, objectReader } from './object-facts.ts';

/** One object: what is told of it, or why it is not. */
export interface PolicyFacts {
  readonly namespace: string;
  readonly name: string;
  readonly policy?: FoundPolicy;
  /** Length of `policy` as JSON. */
  readonly bytes: number;
  readonly omitted?: string;
}

const RawPolicy = Type.Object({
  apiVersion: Type.Optional(Type.String()),
  metadata: Type.Interface([ObjectMeta], { generation: nullable(Type.Integer({ minimum: 0 })) }),
  spec: Type.Optional(Type.Unknown()),
});

/** Written by kubectl, a copy of the whole object; and where the hub's own resources go, which says nothing of a member's. */
const FOREIGN_ANNOTATIONS: ReadonlySet<string> = new Set(['kubectl.kubernetes.io/last-applied-configuration', CLUSTERS_ANNOTATION]);

/** Reads objects of one kind. What is too large is named by its place alone, so that it costs no memory. */
export function policyReader(kind: KindDescriptor): ObjectReader<PolicyFacts> {
  return objectReader(kind.kind, RawPolicy, ({ apiVersion = apiVersionOf(kind), metadata, spec = {} }): PolicyFacts => {
    const { name, namespace = 'default', uid = '', generation } = metadata;
    const annotations = Object.fromEntries(Object.entries(mapOf(metadata.annotations)).filter(([key]) => !FOREIGN_ANNOTATIONS.has(key)));
    const labels = mapOf(metadata.labels);
    const policy: FoundPolicy = {
      ...{ apiVersion, kind: kind.kind, namespace, name, uid, generation: generation ?? 0 },
      ...(Object.keys(labels).length === 0 ? {} : { labels }),
      ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
      spec,
    };
    const bytes = Buffer.byteLength(JSON.stringify(policy));
    if (bytes <= MAX_ADOPTED_BYTES) return { namespace, name, policy, bytes };
    const omitted = `it is ${Math.ceil(bytes / 1024)} KiB of JSON; at most ${MAX_ADOPTED_BYTES / 1024} KiB are told to the hub`;
    return { namespace, name, bytes: 0, omitted };
  });
}
