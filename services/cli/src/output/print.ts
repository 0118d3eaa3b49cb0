/** What commands write: results on stdout, everything about them on stderr. */
import { terminal } from './terminal.ts';

/** Writes a line to stdout. */
export function print(text: string): void {
  terminal().stdout.write(`${text}\n`);
}

/** Writes a line to stderr. */
export function note(text: string): void {
  terminal().stderr.write(`${text}\n`);
}

/** A value as indented JSON on stdout. */
export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}

/** A value as YAML on stdout; what YAML 1.1 (kubectl) would read as a boolean or a time is quoted. */
export async function printYaml(value: unknown): Promise<void> {
  const { stringify } = await import('yaml');
  terminal().stdout.write(stringify(value, { lineWidth: 0, schema: 'yaml-1.1' }));
}
