/** PURE: YAML as Kubernetes reads it, which is 1.1: `0644` is octal, `yes` is true, and a date is a text. */
import { AppError } from '@hawser/runtime/app-error.ts';
import { parseAllDocuments, stringify, type Tags } from 'yaml';

const READ = {
  version: '1.1',
  merge: true,
  customTags: (tags: Tags): Tags => tags.filter((tag) => typeof tag === 'string' || !/:(timestamp|binary)$/.test(tag.tag)),
} as const;
/** Aliases are written out: an anchor may be in what is replaced. */
const WRITE = { version: '1.1', aliasDuplicateObjects: false, lineWidth: 0 } as const;

/** The documents of a file, those left out that are empty; throws a usage error that names the line. */
export function readKubeYaml(file: string, text: string): unknown[] {
  const documents = parseAllDocuments(text, READ);
  if (!Array.isArray(documents)) return [];
  return documents.flatMap((document) => {
    const [error] = document.errors;
    if (error !== undefined) throw new AppError('usage', `${file}: not valid YAML: ${error.message}`);
    const content: unknown = document.toJS({ maxAliasCount: 1_000 });
    return content === null || content === undefined ? [] : [content];
  });
}

/** The documents as one text. */
export function kubeYaml(documents: readonly unknown[]): string {
  return documents.map((document) => stringify(document, WRITE)).join('---\n');
}
