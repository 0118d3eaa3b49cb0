/** PURE: the text of a file → its resources and what is wrong with it. YAML with any number of documents; JSON is a part of YAML. */
import { isMap, LineCounter, parseAllDocuments } from 'yaml';
import { checkEnvelope } from './check-envelope.ts';
import { fieldOffset, type ParsedDocument } from './field-position.ts';
import type { Manifest, Place, PlaceOf, Problem } from './manifest.ts';

/** What a file holds. A document with a problem gives no manifest. */
export interface ParsedFile {
  readonly manifests: readonly Manifest[];
  readonly problems: readonly Problem[];
}

/** Reads every document of a file. Namespaced resources without a namespace get `defaultNamespace`. */
export function parseManifests(file: string, text: string, defaultNamespace: string): ParsedFile {
  const manifests: Manifest[] = [];
  const problems: Problem[] = [];
  for (const document of parseItems(file, text)) {
    problems.push(...document.problems);
    for (const item of document.items) {
      const checked = checkEnvelope(item, defaultNamespace);
      if ('manifest' in checked) manifests.push(checked.manifest);
      else problems.push(...checked.problems);
    }
  }
  return { manifests, problems };
}

/** What a document holds, unchecked, or why it is no YAML. */
export interface ParsedItems {
  readonly items: readonly RawItem[];
  readonly problems: readonly Problem[];
}

/** Reads every document of a file as it stands. */
export function parseItems(file: string, text: string): ParsedItems[] {
  const lines = new LineCounter();
  const placeAt = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(1, line), column: Math.max(1, col) };
  };
  return documentsOf(file, text, lines).map((document) => {
    const problems = document.errors.map((error) => ({
      place: placeAt(error.pos[0]),
      subject: '',
      field: '',
      message: `not valid YAML: ${error.message}`,
    }));
    const isNothing = problems.length > 0 || document.contents === null || isEmpty(document);
    return { items: isNothing ? [] : itemsOf(document, placeAt), problems };
  });
}

/** A resource as it stands in a document, not yet known to be one. */
export interface RawItem {
  readonly content: unknown;
  readonly placeOf: PlaceOf;
}

/** The document itself, or the members of a `kind: List` (what `get -o yaml` prints). */
function itemsOf(document: ParsedDocument, placeAt: (offset: number) => Place): RawItem[] {
  const placeOf: PlaceOf = (field, at) => placeAt(fieldOffset(document, field, at));
  let content: unknown;
  try {
    content = document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    return [{ content: error instanceof Error ? error : new Error(String(error)), placeOf }];
  }
  if (isMap(document.contents) && document.get('kind') === 'List') {
    const { items } = content as { items?: unknown };
    if (Array.isArray(items))
      return items.map((item, index) => ({ content: item, placeOf: (field, at) => placeOf(`items[${index}].${field}`, at) }));
  }
  return [{ content, placeOf }];
}

function documentsOf(file: string, text: string, lines: LineCounter): ParsedDocument[] {
  // YAML forbids tabs as indentation and JSON allows them; a space keeps every column.
  const readable = file.endsWith('.json') ? text.replaceAll('\t', ' ') : text;
  const documents = parseAllDocuments(readable, { lineCounter: lines, prettyErrors: false, merge: true });
  return Array.isArray(documents) ? (documents as ParsedDocument[]) : [];
}

function isEmpty(document: ParsedDocument): boolean {
  return document.contents !== null && 'value' in document.contents && (document.contents.value === null || document.contents.value === '');
}
