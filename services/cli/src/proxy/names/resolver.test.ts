/** A real resolver and a real upstream, asked over UDP and TCP as programs do. */
import { createSocket, type Socket } from 'node:dgram';
import { connect, createServer, type Server } from 'node:net';
import { type Answer, type DecodedPacket, decode, encode, type Question } from 'dns-packet';
import { afterEach, expect, test } from 'vitest';
import { freePort } from '../../../../../test/kit/ports.ts';
import { firstMessage, framed } from './forwarder.ts';
import { hostResolvers, nameserversIn } from './host-resolvers.ts';
import { type NameTable, parseNameTable } from './name-table.ts';
import { type Resolver, startResolver } from './resolver.ts';

const ADDRESS = '127.0.0.1';
const TABLE = parseNameTable(
  JSON.stringify({
    zones: ['svc.clusterset.local'],
    names: {
      'reviews.bookinfo.svc.clusterset.local': ['240.240.1.2'],
      'reviews.bookinfo.svc.cluster.local': ['240.240.1.3'],
      'db.example.com': ['10.1.1.1', 'fd00::1'],
      '*.wild.example.com': ['240.240.9.9'],
      'many.bookinfo.svc.clusterset.local': Array.from({ length: 100 }, (_, i) => `10.2.0.${i + 1}`),
    },
  }),
);

const closing: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

interface Upstream {
  readonly port: number;
  readonly asked: string[];
}

/** Answers `ext.test` with 10.9.9.9 over UDP and 10.9.9.10 over TCP, and keeps silent about `silent.test`. */
async function startUpstream(): Promise<Upstream> {
  const asked: string[] = [];
  const reply = (query: Buffer, data: string): Buffer | undefined => {
    const { id, questions } = decode(query);
    const [question] = questions as [Question];
    asked.push(`${question.name} ${question.type}`);
    if (question.name === 'silent.test') return undefined;
    const answers: Answer[] = question.type === 'A' ? [{ name: question.name, type: 'A', ttl: 7, data }] : [];
    return encode({ id, type: 'response', flags: 0x180, questions: [question], answers });
  };
  const tcp = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.on('data', (part: Buffer) => {
      const answer = reply(firstMessage(part) ?? Buffer.alloc(0), '10.9.9.10');
      if (answer !== undefined) socket.end(framed(answer));
    });
  });
  const port = await freePort();
  await new Promise<void>((resolve) => void tcp.listen(port, ADDRESS, resolve));
  const udp = createSocket('udp4').on('message', (query, from) => {
    const answer = reply(query, '10.9.9.9');
    if (answer !== undefined) udp.send(answer, from.port, from.address);
  });
  await new Promise<void>((resolve) => udp.bind(port, ADDRESS, resolve));
  closing.push(() => stopBoth(udp, tcp));
  return { port, asked };
}

function stopBoth(udp: Socket, tcp: Server): Promise<void> {
  udp.close();
  return new Promise((resolve) => tcp.close(() => resolve()));
}

interface Given {
  readonly table?: NameTable | undefined;
  readonly upstreams?: readonly number[];
  readonly attemptMs?: number;
  readonly mostInFlight?: number;
}

async function start({ table = TABLE, upstreams = [], ...bounds }: Given): Promise<Resolver> {
  const resolvers = upstreams.map((port) => ({ address: ADDRESS, port }));
  const resolver = await startResolver({
    addresses: [ADDRESS],
    port: await freePort(),
    table: () => table,
    resolvers: () => resolvers,
    ...bounds,
  });
  closing.push(() => resolver.stop());
  return resolver;
}

type Asked = Partial<Question> & { readonly name: string; readonly edns?: number };

function queryOf({ name, type = 'A', class: inClass = 'IN', edns }: Asked, id: number): Buffer {
  const opt = {
    name: '.' as const,
    type: 'OPT' as const,
    udpPayloadSize: 4096,
    extendedRcode: 0,
    ednsVersion: edns ?? 0,
    flags: 0,
    options: [],
  };
  return encode({
    id,
    type: 'query',
    flags: 0x100,
    questions: [{ name, type, class: inClass }],
    additionals: edns === undefined ? [] : [opt],
  });
}

function udp({ port }: { readonly port: number }, asked: Asked): Promise<DecodedPacket> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.on('message', (bytes) => {
      socket.close();
      resolve(decode(bytes));
    });
    socket.send(queryOf(asked, 4711), port, ADDRESS);
  });
}

function tcp({ port }: { readonly port: number }, ...asked: readonly Asked[]): Promise<DecodedPacket[]> {
  return new Promise((resolve, reject) => {
    const answers: DecodedPacket[] = [];
    let received = Buffer.alloc(0);
    const socket = connect(port, ADDRESS, () => socket.write(Buffer.concat(asked.map((one, id) => framed(queryOf(one, id))))));
    socket.on('error', reject);
    socket.on('data', (part: Buffer) => {
      received = Buffer.concat([received, part]);
      for (let message = firstMessage(received); message !== undefined; message = firstMessage(received)) {
        received = received.subarray(message.length + 2);
        answers.push(decode(Buffer.from(message)));
      }
      if (answers.length < asked.length) return;
      socket.destroy();
      resolve(answers);
    });
  });
}

const dataOf = ({ answers }: DecodedPacket): unknown[] => answers.map(({ data }) => data);

test('names of the mesh have their addresses, in any case, and keep the case of the question', async () => {
  const resolver = await start({});
  const answer = await udp(resolver, { name: 'Reviews.bookinfo.svc.clusterset.LOCAL' });
  expect(answer).toMatchObject({
    id: 4711,
    rcode: 'NOERROR',
    flag_aa: true,
    answers: [{ name: 'Reviews.bookinfo.svc.clusterset.LOCAL', data: '240.240.1.2' }],
  });
  expect(dataOf(await udp(resolver, { name: 'reviews.bookinfo.svc.cluster.local' }))).toEqual(['240.240.1.3']);
  expect(dataOf(await udp(resolver, { name: 'db.example.com', type: 'AAAA' }))).toEqual(['fd00::1']);
  expect(dataOf(await udp(resolver, { name: 'a.b.wild.example.com' }))).toEqual(['240.240.9.9']);
});

test('a name without an address of the type exists all the same: musl takes NXDOMAIN for AAAA as the end', async () => {
  const resolver = await start({});
  for (const type of ['AAAA', 'UNKNOWN_65', 'MX', 'TXT']) {
    const answer = await udp(resolver, { name: 'reviews.bookinfo.svc.clusterset.local', type: type === 'UNKNOWN_65' ? 'HTTPS' : type });
    expect(answer, type).toMatchObject({ rcode: 'NOERROR', answers: [], authorities: [{ type: 'SOA' }] });
  }
  expect(await udp(resolver, { name: 'bookinfo.svc.clusterset.local' })).toMatchObject({ rcode: 'NOERROR', answers: [] });
});

test('an unknown name of the mesh does not exist, and nobody else is asked', async () => {
  const upstream = await startUpstream();
  const resolver = await start({ upstreams: [upstream.port] });
  for (const name of ['nope.bookinfo.svc.clusterset.local', 'nope.svc.clusterset.local'])
    expect(await udp(resolver, { name })).toMatchObject({ rcode: 'NXDOMAIN', authorities: [{ type: 'SOA', ttl: 5 }] });
  expect(upstream.asked).toEqual([]);
});

test('before the table is known, names of the mesh fail and others are asked for', async () => {
  const upstream = await startUpstream();
  const resolver = await startResolver({
    ...{
      addresses: [ADDRESS],
      port: await freePort(),
      table: () => undefined,
      resolvers: () => [{ address: ADDRESS, port: upstream.port }],
    },
  });
  closing.push(() => resolver.stop());
  expect((await udp(resolver, { name: 'reviews.bookinfo.svc.clusterset.local' })).rcode).toBe('SERVFAIL');
  expect(dataOf(await udp(resolver, { name: 'ext.test' }))).toEqual(['10.9.9.9']);
});

test('everything else goes to the machine’s resolvers as it came: any type, by UDP or TCP, search domains and unknown names of cluster.local', async () => {
  const upstream = await startUpstream();
  const resolver = await start({ upstreams: [upstream.port] });
  expect(await udp(resolver, { name: 'ext.test' })).toMatchObject({ id: 4711, answers: [{ data: '10.9.9.9', ttl: 7 }] });
  expect(dataOf((await tcp(resolver, { name: 'ext.test' }))[0] as DecodedPacket)).toEqual(['10.9.9.10']);
  await udp(resolver, { name: 'ext.test', type: 'MX' });
  await udp(resolver, { name: 'db.example.com', type: 'TXT' });
  await udp(resolver, { name: 'pod-0.db.bookinfo.svc.cluster.local' });
  await udp(resolver, { name: 'reviews.bookinfo.svc.clusterset.local.svc.cluster.local' });
  expect(upstream.asked.slice(2)).toEqual([
    'ext.test MX',
    'db.example.com TXT',
    'pod-0.db.bookinfo.svc.cluster.local A',
    'reviews.bookinfo.svc.clusterset.local.svc.cluster.local A',
  ]);
});

test('a resolver that has nobody to ask refuses what is not the mesh’s, by UDP and by TCP, and answers what is', async () => {
  const resolver = await startResolver({ addresses: [ADDRESS], port: await freePort(), table: () => TABLE });
  closing.push(() => resolver.stop());
  for (const name of ['ext.test', 'other.clusterset.local', 'pod-0.db.bookinfo.svc.cluster.local']) {
    expect(await udp(resolver, { name })).toMatchObject({ rcode: 'REFUSED', answers: [] });
    expect(await tcp(resolver, { name })).toMatchObject([{ rcode: 'REFUSED', answers: [] }]);
  }
  expect(dataOf(await udp(resolver, { name: 'reviews.bookinfo.svc.clusterset.local' }))).toEqual(['240.240.1.2']);
});

test('what does not fit is asked for again by TCP, where many queries share a connection', async () => {
  const resolver = await start({});
  const name = 'many.bookinfo.svc.clusterset.local';
  expect(await udp(resolver, { name })).toMatchObject({ flag_tc: true, answers: [] });
  expect(await udp(resolver, { name, edns: 0 })).toMatchObject({ flag_tc: true, additionals: [{ type: 'OPT', udpPayloadSize: 1232 }] });
  const answers = await tcp(resolver, { name }, { name: 'reviews.bookinfo.svc.clusterset.local' }, { name: 'no.svc.clusterset.local' });
  expect(answers.map((one) => [one.id, one.answers.length, one.rcode])).toEqual([
    [0, 100, 'NOERROR'],
    [1, 1, 'NOERROR'],
    [2, 0, 'NXDOMAIN'],
  ]);
});

test('a client with all the connections there are keeps no other out, and gets no more itself', async () => {
  const resolver = await start({});
  let ended = 0;
  /** Opens a connection that stays open; resolves with whether it was answered. */
  const open = (localAddress: string): Promise<boolean> =>
    new Promise((resolve) => {
      const socket = connect({ port: resolver.port, host: ADDRESS, localAddress });
      closing.push(() => void socket.destroy());
      socket.write(framed(queryOf({ name: 'reviews.bookinfo.svc.clusterset.local' }, 1)));
      socket.on('error', () => undefined).once('data', () => resolve(true));
      socket.once('close', () => {
        ended += 1;
        resolve(false);
      });
    });
  expect(await Promise.all(Array.from({ length: 128 }, () => open('127.0.0.1')))).not.toContain(false);
  expect([await open('127.0.0.2'), await open('127.0.0.2')]).toEqual([true, true]);
  await expect.poll(() => ended).toBe(2);
  expect(await open('127.0.0.1')).toBe(false);
});

test('EDNS is answered with EDNS, and a version that nobody knows is said to be one', async () => {
  const resolver = await start({});
  const name = 'reviews.bookinfo.svc.clusterset.local';
  expect((await udp(resolver, { name })).additionals).toEqual([]);
  expect((await udp(resolver, { name, edns: 0 })).additionals).toMatchObject([{ type: 'OPT', extendedRcode: 0 }]);
  expect(await udp(resolver, { name, edns: 1 })).toMatchObject({ answers: [], additionals: [{ type: 'OPT', extendedRcode: 1 }] });
});

test('a resolver that is dead or silent costs its time, and the next is asked', async () => {
  const [dead, alive] = [await startUpstream(), await startUpstream()];
  await closing.shift()?.();
  const resolver = await start({ upstreams: [dead.port, alive.port], attemptMs: 300 });
  expect(dataOf(await udp(resolver, { name: 'ext.test' }))).toEqual(['10.9.9.9']);
  expect((await udp(resolver, { name: 'silent.test' })).rcode).toBe('SERVFAIL');
});

test('queries beyond the bound are refused at once, and names of the mesh are answered all the while', async () => {
  const upstream = await startUpstream();
  const resolver = await start({ upstreams: [upstream.port], attemptMs: 60_000, mostInFlight: 3 });
  const sender = createSocket('udp4');
  closing.push(() => void sender.close());
  for (let i = 0; i < 3; i += 1) sender.send(queryOf({ name: 'silent.test' }, i), resolver.port, ADDRESS);
  await expect.poll(() => resolver.inFlight, { timeout: 10_000 }).toBe(3);
  expect((await udp(resolver, { name: 'ext.test' })).rcode).toBe('REFUSED');
  expect(dataOf(await udp(resolver, { name: 'reviews.bookinfo.svc.clusterset.local' }))).toEqual(['240.240.1.2']);
});

test('what is no query is passed over, and the resolver lives on', async () => {
  const resolver = await start({});
  const sender = createSocket('udp4');
  closing.push(() => void sender.close());
  const response = encode({ id: 1, type: 'response', questions: [{ name: 'x.svc.clusterset.local', type: 'A', class: 'IN' }] });
  for (const bytes of [Buffer.alloc(0), Buffer.from('rubbish'), Buffer.alloc(12, 0xff), Buffer.alloc(60, 0xc0), response])
    sender.send(bytes, resolver.port, ADDRESS);
  expect((await udp(resolver, { name: 'reviews.bookinfo.svc.clusterset.local' })).rcode).toBe('NOERROR');
});

test('reads resolv.conf as it is now, and keeps what it knew while it cannot', () => {
  expect(
    nameserversIn('search a.b\nnameserver 10.0.0.53\n# nameserver 1.1.1.1\nnameserver fe80::1%eth0\n').map(({ address }) => address),
  ).toEqual(['10.0.0.53', 'fe80::1%eth0']);
  expect(nameserversIn('options ndots:5\n')).toEqual([{ address: '127.0.0.1', port: 53 }]);
  expect(hostResolvers('/nowhere/resolv.conf')()).toEqual([{ address: '127.0.0.1', port: 53 }]);
});

test('refuses a table that is none', () => {
  for (const text of ['', '[]', '{"zones":[],"names":null}', '{"zones":[],"names":{"a":["b"]}}', '{"zones":[1],"names":{}}'])
    expect(() => parseNameTable(text), text).toThrow();
});
