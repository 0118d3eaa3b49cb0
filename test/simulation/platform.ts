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
  installCrypto();
}

/** Enters a new world; the one before is over. */
export function enter(time: VirtualTime, random: Random): void {
  present = { time, random };
}

const names = new WeakMap<KeyObject, string>();

function nameOf(key: KeyObject): string {
  const known = names.get(key);
  if (known !== undefined) return known;
  const name = crypto.createPublicKey(key as never).export({ format: 'jwk' }).x ?? '';
  names.set(key, name);
  return name;
}

/**
 * Ed25519 costs a tenth of a millisecond, and a simulation has hundreds of messages: here a signature is a hash with the
 * public key, which nobody in the simulation makes for a key that is not theirs.
 */
function installCrypto(): void {
  const publicOf = (key: KeyObject): string => {
    const known = names.get(key);
    if (known !== undefined) return known;
    const name = key.type === 'public' ? (key.export({ format: 'jwk' }).x ?? '') : nameOf(key);
    names.set(key, name);
    return name;
  };
  const mark = (bytes: Uint8Array, key: KeyObject): Buffer => {
    const hash = crypto.createHash('sha256').update(publicOf(key)).update(bytes).digest();
    return Buffer.concat([hash, hash]);
  };
  const { createPublicKey } = crypto;
  const publicKeys = new Map<string, KeyObject>();
  Object.assign(crypto, {
    sign: (_algorithm: null, bytes: Uint8Array, key: KeyObject) => mark(bytes, key),
    verify: (_algorithm: null, bytes: Uint8Array, key: KeyObject, signature: Uint8Array) => mark(bytes, key).equals(signature),
    // Reading a key takes longer than all else that is done with it here.
    createPublicKey: (source: Parameters<typeof createPublicKey>[0]) => {
      const text = JSON.stringify(source);
      const known = text.includes('"x"') ? publicKeys.get(text) : undefined;
      if (known !== undefined) return known;
      const key = createPublicKey(source);
      if (text.includes('"x"')) publicKeys.set(text, key);
      return key;
    },
    randomBytes: (size: number) => Buffer.from(Array.from({ length: size }, () => Math.floor(Math.random() * 256))),
  });
  syncBuiltinESMExports();
}
