/** The smallest proxy-wasm plugins (ABI 0.2.1). Written byte by byte, so that tests need no compiler. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const I32 = 0x7f;

/** A module that adds a header to requests. */
export function headerModule(name: string, value: string): Uint8Array {
  // Of the request's headers: name, value.
  const call = [...i32(0), ...i32(TEXT_AT), ...i32(name.length), ...i32(TEXT_AT + name.length), ...i32(value.length)];
  return moduleOf({ host: 'proxy_add_header_map_value', on: 'proxy_on_request_headers', call, text: name + value });
}

/** A module that puts a text before every piece that a caller sends. */
export function prefixModule(text: string): Uint8Array {
  // In the bytes from downstream (2), instead of the first 0 of them.
  const call = [...i32(2), ...i32(0), ...i32(0), ...i32(TEXT_AT), ...i32(text.length)];
  return moduleOf({ host: 'proxy_set_buffer_bytes', on: 'proxy_on_downstream_data', call, text });
}

/** The path of a new file with these bytes. */
export function inFile(bytes: Uint8Array): string {
  const file = join(mkdtempSync(join(tmpdir(), 'hawser-wasm-')), 'plugin.wasm');
  writeFileSync(file, bytes);
  return file;
}

/** Where the text is in the memory of a module. */
const TEXT_AT = 16;

interface Behaviour {
  /** Function of the host with five parameters, called with those that `call` puts on the stack. */
  readonly host: string;
  /** Callback with three parameters, after which Envoy goes on. */
  readonly on: string;
  readonly call: readonly number[];
  readonly text: string;
}

function moduleOf({ host, on, call, text }: Behaviour): Uint8Array {
  const types = [type(5, 1), type(0, 0), type(1, 1), type(2, 1), type(2, 0), type(3, 1)];
  const bodies = [[], [...i32(4_096)], [...i32(1)], [...i32(1)], [], [...call, 0x10, 0, 0x1a, ...i32(0)]];
  const functions: readonly (readonly [string, number])[] = [
    ['proxy_abi_version_0_2_1', 1],
    ['proxy_on_memory_allocate', 2],
    ['proxy_on_vm_start', 3],
    ['proxy_on_configure', 3],
    ['proxy_on_context_create', 4],
    [on, 5],
  ];
  const memory = [...named('memory'), 2, 0];
  const exported = functions.map(([of], index) => [...named(of), 0, index + 1]);
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, vector(types)),
    ...section(2, vector([[...named('env'), ...named(host), 0, 0]])),
    ...section(3, vector(functions.map(([, of]) => [of]))),
    ...section(5, vector([[0, 1]])),
    ...section(7, vector([memory, ...exported])),
    ...section(10, vector(bodies.map((body) => sized([0, ...body, 0x0b])))),
    ...section(11, vector([[0, ...i32(TEXT_AT), 0x0b, ...sized([...Buffer.from(text)])]])),
  ]);
}

function type(parameters: number, results: number): number[] {
  return [0x60, ...vector(Array.from({ length: parameters }, () => [I32])), ...vector(Array.from({ length: results }, () => [I32]))];
}

function i32(value: number): number[] {
  const bytes: number[] = [];
  let left = value;
  while (left > 0x3f) {
    bytes.push((left & 0x7f) | 0x80);
    left >>= 7;
  }
  return [0x41, ...bytes, left];
}

function unsigned(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >> 7)];
}

function sized(bytes: readonly number[]): number[] {
  return [...unsigned(bytes.length), ...bytes];
}

function named(text: string): number[] {
  return sized([...Buffer.from(text)]);
}

function vector(items: readonly (readonly number[])[]): number[] {
  return [...unsigned(items.length), ...items.flat()];
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...sized(content)];
}
