/** Resources of files as they stand, valid or not, each with the way back to its lines. */
import { isObject } from '@hawser/model/analysis/subject.ts';
import { withDefaultNamespace } from '../manifest/check-envelope.ts';
import type { Place, PlaceOf, Problem } from '../manifest/manifest.ts';
import { parseItems } from '../manifest/parse-manifests.ts';
import { readSources } from '../manifest/read-sources.ts';

/** What files hold. */
export interface WrittenFiles {
  readonly files: number;
  readonly resources: readonly unknown[];
  /** Documents that are no YAML. */
  readonly problems: readonly Problem[];
  /** Where a field of a resource is; undefined for one that no file holds. */
  place(
    resource: { readonly kind: string; readonly namespace: string; readonly name: string },
    field: string,
    at: 'value' | 'key',
  ): Place | undefined;
}

/** Reads them. Throws when a file is not there. */
export async function readWrittenFiles(paths: readonly string[], namespace: string): Promise<WrittenFiles> {
  const sources = await readSources(paths);
  const parsed = sources.flatMap(({ file, text }) => parseItems(file, text));
  const items = parsed
    .flatMap((one) => one.items)
    .map(({ content, placeOf }) => ({ content: withDefaultNamespace(content, namespace), placeOf }));
  const readable = items.filter(({ content }) => !(content instanceof Error));
  const places = new Map<string, PlaceOf>(readable.map(({ content, placeOf }) => [nameOf(content), placeOf]));
  return {
    files: sources.length,
    resources: readable.map(({ content }) => content),
    problems: [...parsed.flatMap(({ problems }) => problems), ...items.flatMap(unreadable)],
    place: ({ kind, namespace: within, name }, field, at) => places.get(`${kind} ${within} ${name}`)?.(field, at),
  };
}

function unreadable({ content, placeOf }: { readonly content: unknown; readonly placeOf: PlaceOf }): Problem[] {
  return content instanceof Error ? [{ place: placeOf(''), subject: '', field: '', message: `cannot be read: ${content.message}` }] : [];
}

function nameOf(content: unknown): string {
  const { kind, metadata } = isObject(content) ? content : {};
  const { namespace, name } = isObject(metadata) ? metadata : {};
  return [kind, namespace, name].map((part) => (typeof part === 'string' ? part : '')).join(' ');
}
