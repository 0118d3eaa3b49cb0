/** The files behind `-f`: a file, a folder (its .yaml, .yml and .json, sorted), or `-` for standard input. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import { terminal } from '../output/terminal.ts';

/** A file's name, as errors show it, and its text. */
export interface Source {
  readonly file: string;
  readonly text: string;
}

/** A manifest file beyond this is a mistake. */
const MAX_BYTES = 16 << 20;

/** Reads everything; throws for what is not there or cannot be read. */
export async function readSources(paths: readonly string[], stdin: AsyncIterable<Buffer | string> = terminal().stdin): Promise<Source[]> {
  const sources: Source[] = [];
  for (const path of paths) {
    if (path === '-') sources.push({ file: '<stdin>', text: await readAll(stdin) });
    else for (const file of await filesAt(path)) sources.push({ file, text: await readText(file) });
  }
  return sources;
}

async function filesAt(path: string): Promise<string[]> {
  const found = await stat(path).catch((error: unknown) => {
    throw new AppError('file-missing', `${path}: ${missing(error)}`);
  });
  if (!found.isDirectory()) return [path];
  const names = (await readdir(path, { withFileTypes: true })).filter(
    (entry) => !entry.isDirectory() && /\.(yaml|yml|json)$/.test(entry.name),
  );
  if (names.length === 0) throw new AppError('file-missing', `${path}: the folder holds no .yaml, .yml or .json file`);
  return names.map((entry) => join(path, entry.name)).sort();
}

async function readText(file: string): Promise<string> {
  try {
    const { size } = await stat(file);
    if (size > MAX_BYTES) throw new Error(`is larger than ${MAX_BYTES >> 20} MiB`);
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new AppError('file-missing', `${file}: ${missing(error)}`);
  }
}

async function readAll(stream: AsyncIterable<Buffer | string>): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > MAX_BYTES) throw new AppError('file-missing', `<stdin>: is larger than ${MAX_BYTES >> 20} MiB`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function missing(error: unknown): string {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT' ? 'no such file or folder' : messageOf(error);
}
