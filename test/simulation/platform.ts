/**
 * Puts the product's code into the simulated world: clocks, timers, chance and signatures of this process become the
 * simulation's. The code itself is the one that runs in production; nothing of it knows.
 */
import crypto, { type KeyObject } from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import timers from 'node:timers';
import { setFlagsFromString } from 'node:v8';
import type { Random } from './random.ts';
import type { VirtualTime } from './virtual-time.ts';

/** What is simulated now. */
interface Present {
  time: VirtualTime;
  random: Random;
}

let present: Present | undefined;

setFlagsFromString('--allow-natives-syntax');
/** Runs all pending microtasks at once, so that a simulation is one synchronous loop. */
export const drainMicrotasks = new Function('%PerformMicrotaskCheckpoint()') as () => void;

/** Installs the simulated platform for this process, for good; before a world is entered, the real one goes on. */
export function installPlatform(): void {
  const RealDate = Date;
  const realNow = Date.now;
  const elapsed = performance.now.bind(performance);
  const real = { setTimeout, setInterval, setImmediate, clearTimeout, random: Math.random };
  class SimulatedDate extends RealDate {
    constructor(...values: [] | [number | string | Date]) {
      if (values.length === 0) super(SimulatedDate.now());
      else super(values[0]);
    }

    static override now(): number {
      return present === undefined ? realNow() : Math.floor(present.time.now);
    }
  }
  const clear = (timer: never): void => (present === undefined ? real.clearTimeout(timer) : present.time.clear(timer));
  const simulated = {
    setTimeout: (...values: Parameters<VirtualTime['setTimeout']>) => (present?.time ?? real).setTimeout(...values),
    setInterval: (...values: Parameters<VirtualTime['setInterval']>) => (present?.time ?? real).setInterval(...values),
    setImmediate: (...values: Parameters<VirtualTime['setImmediate']>) => (present?.time ?? real).setImmediate(...values),
    clearTimeout: clear,
    clearInterval: clear,
    clearImmediate: clear,
  };
  Object.assign(globalThis, { Date: SimulatedDate, ...simulated });
  Object.assign(timers, simulated);
  Object.defineProperty(performance, 'now', { value: () => present?.time.now ?? elapsed() });
  Math.random = () => present?.random.float() ?? real.random();
  AbortSignal.any = anyOf;
  installCrypto();
}

/**
 * A signal that follows several. The runtime keeps its own for as long as anybody listens to it, and whoever waits when a simulation
 * ends listens for ever: all of that world would stay in memory.
 */
function anyOf(signals: Iterable<AbortSignal>): AbortSignal {
  const any = new AbortController();
  for (const signal of signals) {
    if (signal.aborted) any.abort(signal.reason);
    else signal.addEventListener('abort', () => any.abort(signal.reason), { once: true });
  }
  return any.signal;
}

/** Enters a new world; the one before is over. */
export function enter(time: VirtualTime, random: Random): void {
  present = { time, random };
  signed.clear();
}

const names = new WeakMap<KeyObject, string>();

/** What was signed in this world, by the first bytes of the signature: most of it is verified many times. */
const signed = new Map<number, { readonly owner: string; readonly bytes: Uint8Array; readonly signature: Uint8Array }>();

/**
 * Ed25519 costs a tenth of a millisecond, and a simulation has hundreds of messages: here a signature is a hash with the
 * public key, which nobody in the simulation makes for a key that is not theirs.
 */
function installCrypto(): void {
  const { createPublicKey, hash } = crypto;
  const publicKeys = new Map<string, KeyObject>();
  const mark = (bytes: Uint8Array, owner: string): Buffer => {
    const half = hash('sha256', Buffer.concat([Buffer.from(owner), bytes]), 'buffer');
    return Buffer.concat([half, half]);
  };
  Object.assign(crypto, {
    sign: (_algorithm: null, bytes: Uint8Array, key: KeyObject) => {
      const owner = nameOf(key);
      const signature = mark(bytes, owner);
      signed.set(signature.readUInt32LE(0), { owner, bytes, signature });
      return signature;
    },
    verify: (_algorithm: null, bytes: Uint8Array, key: KeyObject, signature: Uint8Array) => {
      const owner = nameOf(key);
      const known = signed.get(Buffer.from(signature.buffer, signature.byteOffset, 4).readUInt32LE(0));
      if (known?.owner === owner && isEqual(known.bytes, bytes) && isEqual(known.signature, signature)) return true;
      return isEqual(mark(bytes, owner), signature);
    },
    // Reading a key takes longer than all else that is done with it here.
    createPublicKey: (source: Parameters<typeof createPublicKey>[0]) => {
      const name = rawName(source);
      const known = name === undefined ? undefined : publicKeys.get(name);
      if (known !== undefined) return known;
      const key = createPublicKey(source);
      if (name !== undefined) publicKeys.set(name, key);
      return key;
    },
    randomBytes: (size: number) => Buffer.from(Array.from({ length: size }, () => Math.floor(Math.random() * 256))),
  });
  syncBuiltinESMExports();
}

const isEqual = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

/** The public part of a key, base64url. */
function nameOf(key: KeyObject): string {
  const known = names.get(key);
  if (known !== undefined) return known;
  const shown = key.type === 'public' ? key : crypto.createPublicKey(key as never);
  const name = shown.export({ format: 'jwk' }).x ?? '';
  names.set(key, name);
  return name;
}

/** The same of a JWK; undefined of any other source. */
function rawName(source: unknown): string | undefined {
  const { key } = source as { key?: { x?: unknown } };
  return typeof key?.x === 'string' ? key.x : undefined;
}
