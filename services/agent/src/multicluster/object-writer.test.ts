import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ApiRefusal, type ApiRequest } from '../discover/kubernetes/api-client.ts';
import { ObjectWriter, type ObjectWriterParts } from './object-writer.ts';

/** Objects by key, as a watch tells of them, and what each should be. */
const stored = new Map<string, { readonly value: string; readonly version: number }>();
const wanted = new Map<string, string>();
let refusals: Error[];
let asked: string[];
let problems: readonly string[];
/** All that was ever said. */
let said: string[];
let version: number;
let writer: ObjectWriter;
let parts: ObjectWriterParts;
/** What each look was told of the attempt before it. */
let refused: (number | undefined)[];
const TIMES = { deadlineMs: 1_000, backoff: { baseMs: 1, maxMs: 4 }, echoMs: 1 };
/** What the server makes of a value. */
let kept: (value: string) => string;
/** What somebody else does upon each write. */
let after: (key: string) => void;

beforeEach(() => {
  stored.clear();
  wanted.clear();
  [refusals, asked, problems, said, version, kept, after] = [[], [], [], [], 0, (value) => value, () => undefined];
  refused = [];
  parts = {
    api: { json },
    next: (key, status) => {
      refused.push(status);
      const value = wanted.get(key);
      return value === undefined || stored.get(key)?.value === value ? undefined : { method: 'PATCH', path: key, body: value };
    },
    known: (key) => stored.get(key)?.version.toString(),
    onProblems: (now) => {
      problems = now;
      said.push(...now);
    },
  };
  writer = new ObjectWriter({ ...parts, times: TIMES });
});
afterEach(() => writer.stop());

async function json({ path, body }: ApiRequest): Promise<unknown> {
  asked.push(path);
  const refusal = refusals.shift();
  if (refusal !== undefined) throw refusal;
  version += 1;
  stored.set(path, { value: kept(String(body)), version });
  queueMicrotask(() => {
    after(path);
    writer.look([path]);
  });
  return { metadata: { resourceVersion: String(version) } };
}

const done = (key: string) => vi.waitFor(() => expect([stored.get(key)?.value, writer.waiting]).toEqual([wanted.get(key), 0]));

describe('a writer', () => {
  it('writes what differs, once', async () => {
    for (const key of ['a', 'b', 'c', 'd', 'e', 'f']) wanted.set(key, 'x');
    writer.look(wanted.keys());
    writer.look(wanted.keys());
    for (const key of wanted.keys()) await done(key);
    expect(asked.sort()).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
    expect(writer.counts).toEqual({ done: 6, failed: 0 });
  });

  it('tries again what was refused, says so by name, and is quiet when it is done', async () => {
    refusals = Array.from({ length: 6 }, () => new ApiRefusal(403, 'forbidden'));
    wanted.set('ServiceImport shop/web', 'x');
    writer.look(wanted.keys());
    await done('ServiceImport shop/web');
    expect(said).toContain('ServiceImport shop/web could not be written: forbidden');
    expect([problems, writer.counts.failed]).toEqual([[], 6]);
  });

  it('knows what the attempt before was refused with, until one is not', async () => {
    refusals = [new ApiRefusal(422, 'taken'), new ApiRefusal(500, 'no')];
    wanted.set('a', 'x');
    writer.look(['a']);
    await done('a');
    wanted.set('a', 'y');
    writer.look(['a']);
    await done('a');
    expect(refused.slice(0, 4)).toEqual([undefined, 422, 500, undefined]);
  });

  it('leaves an object alone for a while after each write, where it is asked to', async () => {
    writer.stop();
    writer = new ObjectWriter({ ...parts, times: { ...TIMES, spacingMs: 3_600_000 } });
    wanted.set('a', 'x');
    writer.look(['a']);
    await vi.waitFor(() => expect(asked).toEqual(['a']));
    wanted.set('a', 'y').set('b', 'x');
    writer.look(['a', 'b']);
    await vi.waitFor(() => expect(stored.get('b')?.value).toBe('x'));
    expect([stored.get('a')?.value, asked, writer.waiting > 0]).toEqual(['x', ['a', 'b'], true]);
  });

  it('says nothing of a race that it lost once', async () => {
    refusals = [new ApiRefusal(409, 'the object has been modified')];
    wanted.set('a', 'x');
    writer.look(['a']);
    await done('a');
    expect(said).toEqual([]);
  });

  it('does not repeat a write that the server makes something else of', async () => {
    kept = (value) => value.slice(0, 1);
    wanted.set('a', 'xyz');
    writer.look(['a']);
    await vi.waitFor(() => expect(writer.waiting).toBe(0));
    writer.look(['a']);
    await vi.waitFor(() => expect(writer.waiting).toBe(0));
    expect(asked).toEqual(['a']);
  });

  it('undoes somebody who writes against it twenty times a minute, and then says so', async () => {
    after = (key) => {
      version += 1;
      stored.set(key, { value: 'theirs', version });
    };
    wanted.set('a', 'x');
    writer.look(['a']);
    await vi.waitFor(() => expect(problems).toEqual(['a is written over by somebody else again and again']));
    expect(asked).toHaveLength(21);
  });

  it('writes nothing more when somebody else is to write', async () => {
    refusals = Array.from({ length: 1_000 }, () => new ApiRefusal(500, 'no'));
    wanted.set('a', 'x');
    writer.look(['a']);
    await vi.waitFor(() => expect(asked.length).toBeGreaterThan(0));
    wanted.clear();
    writer.clear();
    await vi.waitFor(() => expect(writer.waiting).toBe(0));
    expect([stored.size, problems]).toEqual([0, []]);
  });
});
