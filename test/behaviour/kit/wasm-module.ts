/** The smallest proxy-wasm plugin (ABI 0.2.1): gives every request a header. Written byte by byte, so that tests need no compiler. */

const I32 = 0x7f;

/** A module that adds a header to requests. */
export function headerModule(name: string, value: string): Uint8Array {
  const text = Buffer.from(name + value);
  const types = [type(5, 1), type(0, 0), type(1, 1), type(2, 1), type(2, 0), type(3, 1)];
  const bodies = [
    [],
    [...i32(4_096)],
    [...i32(1)],
    [...i32(1)],
    [],
    // proxy_add_header_map_value(request headers, name, value); continue.
    [...i32(0), ...i32(16), ...i32(name.length), ...i32(16 + name.length), ...i32(value.length), 0x10, 0, 0x1a, ...i32(0)],
  ];
  const functions: readonly (readonly [string, number])[] = [
    ['proxy_abi_version_0_2_1', 1],
    ['proxy_on_memory_allocate', 2],
    ['proxy_on_vm_start', 3],
    ['proxy_on_configure', 3],
    ['proxy_on_context_create', 4],
    ['proxy_on_request_headers', 5],
  ];
  const memory = [...named('memory'), 2, 0];
  const exported = functions.map(([of], index) => [...named(of), 0, index + 1]);
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, vector(types)),
    ...section(2, vector([[...named('env'), ...named('proxy_add_header_map_value'), 0, 0]])),
    ...section(3, vector(functions.map(([, of]) => [of]))),
    ...section(5, vector([[0, 1]])),
    ...section(7, vector([memory, ...exported])),
    ...section(10, vector(bodies.map((body) => sized([0, ...body, 0x0b])))),
    ...section(11, vector([[0, ...i32(16), 0x0b, ...sized([...text])]])),
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
