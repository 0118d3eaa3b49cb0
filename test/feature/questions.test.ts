/** What an agent answers on the bus: the hub's own questions, each once. */
import type { Bus } from '@hawser/bus/bus.ts';
import { HUB, PROTOCOL, seal } from '@hawser/wire/envelope.ts';
import { generateSigner, type Signer } from '@hawser/wire/signing.ts';
import { rpcSubject } from '@hawser/wire/subjects.ts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startFederation, type TestFederation } from '../kit/federation.ts';
import { account } from '../kit/totals.ts';

const HERE = 'us-east';
let federation: TestFederation;
let admin: Bus;

beforeAll(async () => {
  federation = await startFederation([HERE]);
  await federation.configure(HERE, 1);
  await federation.cluster(HERE).start();
  admin = await federation.nats.adminBus();
});
afterAll(() => federation.stop());

const body = { proxy: 'nobody', section: 'clusters' };
const question = (signer: Signer, changes: object = {}): Uint8Array => {
  const head = { protocol: PROTOCOL, from: HUB, to: HERE, key: 'proxy-config', epoch: 1, revision: 1_000_000, part: 0, parts: 1 };
  return seal({ ...head, body, ...changes }, signer);
};

async function ask(bytes: Uint8Array): Promise<string> {
  const { bytes: answer } = await admin.request(rpcSubject(HERE, 'proxy-config'), bytes, { timeoutMs: 5_000 });
  return (JSON.parse(Buffer.from(answer).toString()) as { error: string }).error;
}

it('an agent answers the hub alone, what is addressed to it, and nothing twice', async () => {
  const genuine = question(federation.hub);
  await expect.poll(() => ask(genuine).catch(() => ''), { timeout: 20_000 }).toMatch(/no proxy nobody|replayed/);
  expect(await ask(question(federation.hub, { revision: 1_000_001 }))).toMatch(/no proxy nobody/);
  const flipped = Buffer.from(question(federation.hub, { revision: 1_000_002 }));
  flipped[flipped.length - 4] = (flipped[flipped.length - 4] ?? 0) ^ 1;
  const refused = [
    [genuine, 'replayed'],
    [flipped, '(bad-signature|malformed)'],
    [question(generateSigner(), { revision: 1_000_003 }), 'bad-signature'],
    [question(federation.cluster(HERE).member.signer, { from: HERE, revision: 1_000_004 }), 'unknown'],
    [question(federation.hub, { to: 'us-west', revision: 1_000_005 }), 'wrong-address'],
    [question(federation.hub, { key: 'diff', revision: 1_000_006 }), 'wrong-address'],
    [question(federation.hub, { revision: 900_000 }), 'replayed'],
  ] as const;
  const answers = await Promise.all(refused.map(([bytes]) => ask(bytes)));
  const obeyed = answers.filter((answer) => !answer.startsWith('the request was refused'));
  account({ documents: refused.length, staleOrForged: obeyed.length });
  for (const [index, [, reason]] of refused.entries()) expect(answers[index]).toMatch(new RegExp(`refused: ${reason}`));
});
