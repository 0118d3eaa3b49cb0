/** The records of multicluster DNS (KEP-1645, specification 1.0.0), question by question. */
import { ipv6Twin } from '@hawser/model/virtual-ipv6.ts';
import { type Answer, type DecodedPacket, decode, encode } from 'dns-packet';
import { describe, expect, it } from 'vitest';
import { judge } from './answer.ts';
import { type NameTable, parseNameTable } from './name-table.ts';

const ZONE = 'shop.svc.clusterset.local';
const TABLE = parseNameTable(
  JSON.stringify({
    zones: ['svc.clusterset.local'],
    names: {
      [`web.${ZONE}`]: ['240.240.1.2'],
      'web.shop.svc.cluster.local': ['240.240.1.3'],
      [`db.${ZONE}`]: ['10.1.0.1', '10.2.0.1', '10.2.0.2', '240.240.1.4'],
      'db.shop.svc': ['10.1.0.1', '10.2.0.1', '10.2.0.2', '240.240.1.4'],
    },
    ports: { [`web.${ZONE}`]: { http: 80, admin: 81 } },
    headless: {
      [`db.${ZONE}`]: [
        ['db-0.east', '10.1.0.1', { sql: 5432 }],
        ['db-0.west', '10.2.0.1', { sql: 5433 }],
        ['10-2-0-2.west', '10.2.0.2', {}],
      ],
    },
  }),
);

function ask(name: string, type = 'A', table: NameTable | undefined = TABLE, id = 0): DecodedPacket {
  const query = encode({ id, type: 'query', flags: 0x100, questions: [{ name, type, class: 'IN' }] });
  const verdict = judge(query, table, 'tcp');
  if (typeof verdict === 'string') throw new Error(verdict);
  return decode(verdict.answer);
}
const dataOf = ({ answers }: DecodedPacket): unknown[] => answers.map(({ data }) => data);
const placeOf = (answer: Answer): unknown => (answer.type === 'SRV' ? `${answer.data.target}:${answer.data.port}` : answer);

describe('a service with a ClusterSetIP', () => {
  it('has its address, and an SRV record of each named port and of no other', () => {
    expect(dataOf(ask(`web.${ZONE}`))).toEqual(['240.240.1.2']);
    expect(ask(`_http._tcp.web.${ZONE}`, 'SRV').answers.map(placeOf)).toEqual([`web.${ZONE}:80`]);
    expect(ask(`_HTTP._TCP.Web.${ZONE}`, 'SRV').answers.map(placeOf)).toEqual([`web.${ZONE}:80`]);
    expect(ask(`web.${ZONE}`, 'SRV').answers.map(placeOf)).toEqual([`web.${ZONE}:80`, `web.${ZONE}:81`]);
    for (const name of ['_grpc._tcp', '_http._udp', '_http']) expect(ask(`${name}.web.${ZONE}`, 'SRV').rcode, name).toBe('NXDOMAIN');
  });

  it('of both families has an address of each, but that of IPv6 only where calls of it get anywhere', () => {
    const text = JSON.stringify({ zones: ['svc.clusterset.local'], names: { [`web.${ZONE}`]: ['240.240.1.2', ipv6Twin('240.240.1.2')] } });
    const [both, ipv4] = [parseNameTable(text), parseNameTable(text, false)];
    expect([dataOf(ask(`web.${ZONE}`, 'A', both)), dataOf(ask(`web.${ZONE}`, 'AAAA', both))]).toEqual([
      ['240.240.1.2'],
      [ipv6Twin('240.240.1.2')],
    ]);
    expect(dataOf(ask(`web.${ZONE}`, 'ANY', ipv4))).toEqual(['240.240.1.2']);
    expect(ask(`web.${ZONE}`, 'AAAA', ipv4)).toMatchObject({ rcode: 'NOERROR', answers: [] });
  });

  it('has what stands above its ports, without a record', () => {
    expect(ask(`_tcp.web.${ZONE}`, 'SRV')).toMatchObject({ rcode: 'NOERROR', answers: [] });
    expect(ask(`_http._tcp.web.${ZONE}`)).toMatchObject({ rcode: 'NOERROR', answers: [] });
  });

  it('is not to be had of one cluster alone', () => {
    for (const type of ['A', 'SRV', 'ANY']) expect(ask(`east.web.${ZONE}`, type).rcode).toBe('NXDOMAIN');
  });
});

describe('a headless service', () => {
  it('has the addresses of its endpoints, of which another is the first each time, for a few seconds', () => {
    const answer = ask(`db.${ZONE}`);
    expect(dataOf(answer)).toEqual(['10.1.0.1', '10.2.0.1', '10.2.0.2', '240.240.1.4']);
    expect(answer.answers[0]).toMatchObject({ ttl: 5 });
    expect(dataOf(ask(`db.${ZONE}`, 'A', TABLE, 6))).toEqual(['10.2.0.2', '240.240.1.4', '10.1.0.1', '10.2.0.1']);
  });

  it('has each endpoint by its host name and cluster, by its address where it has none', () => {
    expect(dataOf(ask(`db-0.west.db.${ZONE}`))).toEqual(['10.2.0.1']);
    expect(dataOf(ask(`10-2-0-2.west.db.${ZONE}`))).toEqual(['10.2.0.2']);
    expect(ask(`db-0.west.db.${ZONE}`, 'AAAA')).toMatchObject({ rcode: 'NOERROR', answers: [] });
    expect(ask(`db-0.north.db.${ZONE}`).rcode).toBe('NXDOMAIN');
    expect(ask(`db-1.west.db.${ZONE}`).rcode).toBe('NXDOMAIN');
  });

  it('has an SRV record of each port and endpoint, where that listens', () => {
    const places = [`db-0.east.db.${ZONE}:5432`, `db-0.west.db.${ZONE}:5433`];
    expect(ask(`_sql._tcp.db.${ZONE}`, 'SRV').answers.map(placeOf)).toEqual(places);
    expect(ask(`_sql._tcp.db.${ZONE}`, 'SRV').answers[0]).toMatchObject({ ttl: 5 });
    expect(ask(`db.${ZONE}`, 'SRV').answers.map(placeOf)).toEqual(places);
  });

  it('has no record of a cluster alone, though there are names below it', () => {
    for (const type of ['A', 'SRV']) expect(ask(`west.db.${ZONE}`, type)).toMatchObject({ rcode: 'NOERROR', answers: [] });
  });

  it('is told as far as one message holds it', () => {
    const rows = Array.from({ length: 1_000 }, (_, at) => [`db-${at}.${'c'.repeat(60)}`, `10.3.${at >> 8}.${at & 255}`, { sql: 1 }]);
    const many = parseNameTable(JSON.stringify({ zones: ['svc.clusterset.local'], names: {}, headless: { [`db.${ZONE}`]: rows } }));
    const { answers, rcode } = ask(`_sql._tcp.db.${ZONE}`, 'SRV', many);
    expect(rcode).toBe('NOERROR');
    expect(answers.length).toBeGreaterThan(200);
    expect(answers.length).toBeLessThan(1_000);
  });
});

it('says which version of the specification it follows, whether or not names are known', () => {
  for (const table of [TABLE, undefined]) {
    const [version] = ask('DNS-version.clusterset.local', 'TXT', table).answers;
    expect(version).toMatchObject({ type: 'TXT', ttl: 28_800 });
    expect(String(version?.data)).toBe('1.0.0');
  }
  expect(ask('dns-version.clusterset.local')).toMatchObject({ rcode: 'NOERROR', answers: [] });
});

it('says nothing new of cluster.local: its addresses are as they were, its other records others’ to tell', () => {
  expect(dataOf(ask('web.shop.svc.cluster.local'))).toEqual(['240.240.1.3']);
  for (const name of ['web.shop.svc.cluster.local', '_http._tcp.web.shop.svc.cluster.local'])
    expect(() => ask(name, 'SRV')).toThrow('forward');
});

it('takes the table of an agent of an earlier release, and none that is no table', () => {
  const earlier = parseNameTable(JSON.stringify({ zones: ['svc.clusterset.local'], names: { [`web.${ZONE}`]: ['240.240.1.2'] } }));
  expect(ask(`web.${ZONE}`, 'SRV', earlier)).toMatchObject({ rcode: 'NOERROR', answers: [] });
  const table = { zones: [], names: {} };
  for (const bad of [{ ports: { a: { http: 0 } } }, { ports: { a: 1 } }, { headless: { a: [['x', 'y', {}]] } }, { headless: { a: {} } }])
    expect(() => parseNameTable(JSON.stringify({ ...table, ...bad })), JSON.stringify(bad)).toThrow();
});
