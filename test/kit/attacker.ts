/** An attacker who holds NATS: duplicates, replays, flips and misplaces what owners say. */
import type { Bus } from '@hawser/bus/bus.ts';

/** Somebody who can read and write everything on NATS, and has no key. */
export interface Attacker {
  /** Stores something so many times. */
  strike(times: number): Promise<void>;
  /** How often it did. */
  struck(): number;
  stop(): void;
}

/** Takes down what passes from now on and sends it again, whole or with a byte flipped, in its place or another's. */
export function attacker(admin: Bus): Attacker {
  const taken: { readonly subject: string; readonly bytes: Buffer }[] = [];
  let [struck, seed] = [0, 1];
  const random = (below: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((seed / 2_147_483_648) * below);
  };
  const subscriptions = ['hawser.fleet.*.>', 'hawser.config.*.>'].map((subject) =>
    admin.subscribe(subject, (message) => {
      if (taken.length < 5_000) taken.push({ subject: message.subject, bytes: Buffer.from(message.bytes) });
    }),
  );
  const strikeOnce = async (): Promise<void> => {
    const [one, other] = [taken[random(taken.length)], taken[random(taken.length)]];
    if (one === undefined || other === undefined) return;
    const bytes = Buffer.from(one.bytes);
    const kind = random(3);
    const place = random(bytes.length);
    if (kind === 1) bytes[place] = (bytes[place] ?? 0) ^ (1 << random(8));
    await admin.request(kind === 2 ? other.subject : one.subject, bytes, { timeoutMs: 5_000 });
    struck += 1;
  };
  return {
    strike: async (times) => {
      for (let time = 0; time < times; time += 1) await strikeOnce();
    },
    struck: () => struck,
    stop: () => {
      for (const subscription of subscriptions) subscription.stop();
    },
  };
}
