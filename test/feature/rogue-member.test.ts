/**
 * A member of the federation turns against it, and NATS is its too: what it forges, replays, redirects, cuts short or makes up of its own
 * is acted on by no agent. Its own key is good: it may say of itself what a member may say.
 */
import type { RunningAgent } from '@hawser/agent/agent.ts';
import type { Bus } from '@hawser/bus/bus.ts';
import { type Document, HUB, PROTOCOL, seal } from '@hawser/wire/envelope.ts';
import { generateSigner, type Signer } from '@hawser/wire/signing.ts';
import {
  CONFIG_PREFIX,
  FACTS_KEY,
  FLEET_PREFIX,
  leaseSubject,
  ROSTER_KEY,
  replicaSubject,
  rpcSubject,
  TRUST_KEY,
} from '@hawser/wire/subjects.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serviceFile, startFederation, type TestFederation } from '../kit/federation.ts';
import { eventually, ready, servedBy } from '../kit/served.ts';
import { account } from '../kit/totals.ts';

const [HERE, THERE, ROGUE] = ['us-east', 'us-west', 'rogue'] as const;
const SHARD = 'shard.bookinfo.reviews';
const subject = (owner: string, key: string): string => `${FLEET_PREFIX}.${owner}.${key}`;
const config = (to: string, key: string): string => `${CONFIG_PREFIX}.${to}.${key}`;

const ENDPOINT = { address: '127.66.6.6', targetPorts: { '80': 9080 }, labels: {}, serviceAccount: 'default', health: 'HEALTHY' } as const;

/** Something hostile that is stored: what, where, and its bytes. */
type Attack = readonly [string, string, Uint8Array];

describe('a rogue member with NATS in its hands', { timeout: 120_000 }, () => {
  let federation: TestFederation;
  let agents: RunningAgent[];
  let [admin, rogueBus]: Bus[] = [];
  let rogue: Signer;
  /** What owners have said so far, by subject, oldest first. */
  const said = new Map<string, Uint8Array[]>();

  const bus = (which: Bus | undefined): Bus => {
    if (which === undefined) throw new Error('not connected');
    return which;
  };
  const put = (cluster: string, service: string, addresses: readonly string[]): void =>
    federation.cluster(cluster).put(`${service}.yaml`, serviceFile(service, addresses));

  beforeAll(async () => {
    federation = await startFederation([HERE, THERE, ROGUE]);
    rogue = federation.cluster(ROGUE).member.signer;
    admin = await federation.nats.adminBus();
    rogueBus = await federation.nats.clusterBus(ROGUE);
    for (const prefix of [FLEET_PREFIX, CONFIG_PREFIX])
      admin.subscribe(`${prefix}.*.>`, (message) => {
        said.set(message.subject, [...(said.get(message.subject) ?? []), Uint8Array.from(message.bytes)]);
      });
    for (const name of [HERE, THERE, ROGUE]) await federation.configure(name, 1);
    put(THERE, 'reviews', ['127.79.2.11']);
    put(THERE, 'details', ['127.79.2.31']);
    put(ROGUE, 'ratings', ['127.79.3.41']);
    agents = await Promise.all([HERE, THERE, ROGUE].map((name) => federation.cluster(name).start()));
    await Promise.all(agents.map(ready));
    put(THERE, 'reviews', ['127.79.2.12']);
    await eventually(() => servedBy(here()).includes('127.79.2.12'), 'the second address never came');
    await federation.configure(HERE, 2);
    await eventually(() => servedBy(here(), 'ratings').includes('127.79.3.41'), 'the rogue’s own service never came');
    await eventually(() => (said.get(subject(THERE, SHARD)) ?? []).length > 1, 'the older shard was not heard');
  }, 90_000);
  afterAll(() => federation.stop());

  const here = (): RunningAgent => agents[0] as RunningAgent;

  /** Everything that proxies of an agent are given by its shared layers, secrets too. */
  const served = (agent: RunningAgent): string[] => {
    const types = ['LDS', 'RDS', 'CDS', 'EDS', 'SDS'] as const;
    const all = types.flatMap((type) => (['sidecar', 'gateway'] as const).flatMap((layer) => [...agent.store.all(layer, type).values()]));
    return all.map((one) => `${one.type} ${one.name} ${one.version}`).sort();
  };

  const newest = (at: string): Uint8Array => said.get(at)?.at(-1) ?? new Uint8Array();
  const document = (changes: Partial<Document>): Document => ({
    ...{ protocol: PROTOCOL, from: THERE, to: '*', key: SHARD, epoch: 1, revision: 1_000_000, part: 0, parts: 1 },
    body: shard(THERE),
    ...changes,
  });
  const shard = (cluster: string, changes: object = {}): object => ({
    ...{ cluster, namespace: 'bookinfo', service: 'reviews', exported: true },
    ports: [{ name: 'http', port: 80, protocol: 'http' }],
    endpoints: [ENDPOINT],
    ...changes,
  });
  const by = (signer: Signer, changes: Partial<Document>): Uint8Array => seal(document(changes), signer);

  /** The rogue signs as somebody else, on their subjects. */
  const forged = (): Attack[] => {
    const stranger = generateSigner();
    const roster = { from: HUB, to: HERE, key: ROSTER_KEY, body: { members: [] } };
    const order = { rotation: 'r', kind: 'root', phase: 'retire', emergency: true, issuedAt: new Date().toISOString() };
    const route = { apiVersion: 'networking.istio.io/v1', kind: 'VirtualService', metadata: { name: 'evil', namespace: 'bookinfo' } };
    return [
      ['a shard of another member', subject(THERE, SHARD), by(rogue, {})],
      ['the same, by a key that nobody knows', subject(THERE, SHARD), by(stranger, {})],
      ['its removal', subject(THERE, SHARD), by(rogue, { body: null })],
      ['a new service of another member', subject(THERE, 'shard.bookinfo.evil'), by(rogue, { key: 'shard.bookinfo.evil' })],
      [
        'facts of another member, with the rogue’s roots',
        subject(THERE, FACTS_KEY),
        by(rogue, { key: FACTS_KEY, body: { trustBundle: [], gateways: ['127.66.6.6:15443'] } }),
      ],
      ['the removal of another’s facts', subject(THERE, FACTS_KEY), by(rogue, { key: FACTS_KEY, body: null })],
      [
        'a digest of nothing, so that everything is gone',
        subject(THERE, 'digest'),
        by(rogue, { key: 'digest', body: { keys: 0, root: '' } }),
      ],
      ['a roster without members', config(HERE, ROSTER_KEY), by(rogue, roster)],
      [
        'a roster with the rogue’s key for another',
        config(HERE, ROSTER_KEY),
        by(rogue, { ...roster, body: { members: [{ name: THERE, signingKey: rogue.publicKey }] } }),
      ],
      ['a roster, from a member', config(HERE, ROSTER_KEY), by(rogue, { ...roster, from: ROGUE })],
      [
        'a policy',
        config(HERE, 'policy.virtualservices.bookinfo.evil'),
        by(rogue, { from: HUB, to: HERE, key: 'policy.virtualservices.bookinfo.evil', body: route }),
      ],
      ['an order to replace a root', config(HERE, TRUST_KEY), by(rogue, { from: HUB, to: HERE, key: TRUST_KEY, body: order })],
      ['the hub’s digest', config(HERE, 'digest'), by(rogue, { from: HUB, to: HERE, key: 'digest', body: { keys: 0, root: '' } })],
      ['a later epoch of another member', subject(THERE, SHARD), by(rogue, { epoch: 2 })],
      ['a member named as the hub', subject(HUB, SHARD), by(rogue, { from: HUB })],
      ['a member that is none', subject('us-north', SHARD), by(rogue, { from: 'us-north', body: shard('us-north') })],
    ];
  };

  /** True words of others, out of their time or place. */
  const replayed = (): Attack[] => {
    const [first = new Uint8Array(), second = first] = said.get(subject(THERE, SHARD)) ?? [];
    const roster = said.get(config(HERE, ROSTER_KEY))?.[0] ?? new Uint8Array();
    return [
      ['an older shard', subject(THERE, SHARD), first],
      ['the same shard again', subject(THERE, SHARD), second],
      ['an older digest', subject(THERE, 'digest'), said.get(subject(THERE, 'digest'))?.[0] ?? new Uint8Array()],
      ['an older roster', config(HERE, ROSTER_KEY), roster],
      ['an older digest of the hub', config(HERE, 'digest'), said.get(config(HERE, 'digest'))?.[0] ?? new Uint8Array()],
      ['a shard in another service’s place', subject(THERE, 'shard.bookinfo.details'), second],
      ['a shard in another member’s place', subject(ROGUE, SHARD), second],
      ['a shard as facts', subject(THERE, FACTS_KEY), second],
      ['facts as a shard', subject(THERE, SHARD), newest(subject(THERE, FACTS_KEY))],
      ['the rogue’s shard in another’s place', subject(THERE, 'shard.bookinfo.ratings'), newest(subject(ROGUE, 'shard.bookinfo.ratings'))],
      ['another cluster’s roster', config(HERE, ROSTER_KEY), newest(config(ROGUE, ROSTER_KEY))],
      ['the fleet’s word as the hub’s', config(HERE, SHARD), second],
      ['the hub’s word as the fleet’s', subject(THERE, ROSTER_KEY), newest(config(HERE, ROSTER_KEY))],
    ];
  };

  /** True words, damaged. */
  const damaged = (): Attack[] => {
    const at = subject(THERE, SHARD);
    const true_ = newest(at);
    const flipped = (index: number): Uint8Array => {
      const bytes = Uint8Array.from(true_);
      bytes[index] = (bytes[index] ?? 0) ^ 1;
      return bytes;
    };
    const cuts = [0, 1, 63, 64, 65, true_.length - 1].map((length): Attack => [`cut to ${length} bytes`, at, true_.subarray(0, length)]);
    const flips = [0, 40, 63, 64, 90, 150, true_.length - 1].map((index): Attack => [`byte ${index} flipped`, at, flipped(index)]);
    const twice: Attack = ['sent twice in one', at, Buffer.concat([true_, true_])];
    const longer: Attack = ['with a byte behind it', at, Buffer.concat([true_, Buffer.from(' ')])];
    const unsigned: Attack = ['without its signature', at, true_.subarray(64)];
    const roster = newest(config(HERE, ROSTER_KEY));
    return [
      ...cuts,
      ...flips,
      twice,
      longer,
      unsigned,
      ['a roster cut short', config(HERE, ROSTER_KEY), roster.subarray(0, roster.length / 2)],
    ];
  };

  /** The rogue's own words, well signed, about what is not its own or without sense. */
  const ownButWrong = (): Attack[] => {
    const own = (what: string, key: string, body: unknown, changes: Partial<Document> = {}): Attack => [
      what,
      subject(ROGUE, key),
      by(rogue, { from: ROGUE, key, body, ...changes }),
    ];
    const stolen = JSON.parse(Buffer.from(newest(subject(THERE, FACTS_KEY)).subarray(64)).toString()) as Document;
    return [
      own('a shard in another member’s name', SHARD, shard(THERE)),
      own('a shard of another service than its key', SHARD, shard(ROGUE, { service: 'details' })),
      own('a shard that is not exported', SHARD, shard(ROGUE, { exported: false })),
      own('an address that is none', SHARD, shard(ROGUE, { endpoints: [{ ...ENDPOINT, address: 'evil.example' }] })),
      own('an address of 300 letters', SHARD, shard(ROGUE, { endpoints: [{ ...ENDPOINT, address: 'x'.repeat(300) }] })),
      own('no shard at all', SHARD, 'evil'),
      own('a shard without endpoints', SHARD, { cluster: ROGUE }),
      own('a polluted prototype', SHARD, JSON.parse('{"__proto__": {"exported": true}, "cluster": "rogue"}')),
      own('roots of another member as its own', FACTS_KEY, stolen.body),
      own('facts of no shape', FACTS_KEY, { trustBundle: 'evil' }),
      own('a root that is none', FACTS_KEY, {
        trustBundle: ['-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'],
        gateways: [],
      }),
      own('no facts', FACTS_KEY, null),
      own('an address for the fleet, to one member', SHARD, shard(ROGUE), { to: HERE }),
      own('an epoch that it was not given', SHARD, shard(ROGUE), { epoch: 2 }),
      own('another protocol', SHARD, shard(ROGUE), { protocol: PROTOCOL + 1 }),
      own('a part of what never comes whole', SHARD, '{"cluster":', { part: 0, parts: 3 }),
      own('parts beyond all measure', SHARD, '{', { part: 0, parts: 1_000_000 }),
      own('a roster', ROSTER_KEY, { members: [] }),
      own('an order', TRUST_KEY, { rotation: 'r', kind: 'root', phase: 'retire', emergency: true, issuedAt: '' }),
    ];
  };

  it('moves no agent, whatever it stores', async () => {
    const attacks = [...forged(), ...replayed(), ...damaged(), ...ownButWrong()];
    const others = agents.slice(0, 2);
    const before = others.map(served);
    // The subscription hears the attacks too: what owners said is read before the first.
    const revisions = new Map([...said].map(([at, messages]) => [at, messages.length]));
    for (const [, at, bytes] of attacks) await bus(admin).request(at, bytes, { timeoutMs: 5_000 });
    expect(revisions.size).toBeGreaterThan(6);
    // A word of the true owner comes after all of them on the same stream: with it, they were all read.
    put(THERE, 'details', ['127.79.2.32']);
    await eventually(() => servedBy(here(), 'details').includes('127.79.2.32'), 'the owner is not heard any more');
    const changed = others.map((agent, index) => served(agent).filter((line) => !before[index]?.includes(line)));
    const acted = changed.flat().filter((line) => !/details/.test(line));
    account({ documents: attacks.length, staleOrForged: acted.length });
    console.log(`documents: ${attacks.length} forged, replayed, foreign, truncated or false ones stored; ${acted.length} acted on`);
    expect(attacks.length).toBeGreaterThanOrEqual(50);
    expect(acted).toEqual([]);
    for (const agent of others) {
      const text = served(agent).join();
      expect(text).not.toMatch(/evil/);
      expect(servedBy(agent)).not.toContain('127.66.6.6');
      expect(servedBy(agent)).toContain('127.79.2.12');
    }
  });

  it('with its own credentials reaches nobody else’s subjects, and no stream’s administration', async () => {
    const evil = by(rogue, {});
    const tries = [
      subject(THERE, SHARD),
      config(HERE, ROSTER_KEY),
      config(ROGUE, ROSTER_KEY),
      leaseSubject(THERE),
      replicaSubject(THERE),
      rpcSubject(HERE, 'proxy-config'),
      `hawser.status.${THERE}.proxies`,
      '$JS.API.STREAM.DELETE.HAWSER_FLEET',
      '$JS.API.STREAM.PURGE.HAWSER_FLEET',
      '$JS.API.STREAM.MSG.DELETE.HAWSER_FLEET',
      '$JS.API.STREAM.MSG.GET.HAWSER_CONFIG',
      '$JS.API.DIRECT.GET.HAWSER_CONFIG',
      '$JS.API.STREAM.UPDATE.HAWSER_FLEET',
      '$JS.API.STREAM.SNAPSHOT.HAWSER_CONFIG',
      `$JS.API.CONSUMER.CREATE.HAWSER_CONFIG.evil.${config(HERE, '>')}`,
      '$SYS.REQ.SERVER.PING',
    ];
    let through = 0;
    for (const at of tries) {
      const answer = await bus(rogueBus)
        .request(at, evil, { timeoutMs: 300 })
        .catch((error: unknown) => error);
      if (!(answer instanceof Error)) through += 1;
    }
    account({ documents: tries.length, staleOrForged: through });
    expect(through).toBe(0);
    put(THERE, 'details', ['127.79.2.33']);
    await eventually(() => servedBy(here(), 'details').includes('127.79.2.33'), 'the owner is not heard any more');
  });

  it('is believed in what a member may say of itself', async () => {
    const body = shard(ROGUE);
    await bus(admin).request(subject(ROGUE, SHARD), by(rogue, { from: ROGUE, body }), { timeoutMs: 5_000 });
    await eventually(() => servedBy(here()).includes('127.66.6.6'), 'none of these could have been believed: the forgeries prove nothing');
  });
});
