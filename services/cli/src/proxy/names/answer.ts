/** PURE: a DNS query and the table of names → what is answered, or that somebody else is to be asked (RFC 1035, 2308, 6891, 8020). */
import { isIPv4 } from 'node:net';
import {
  AUTHORITATIVE_ANSWER,
  type DecodedPacket,
  type Answer as DnsRecord,
  decode,
  encode,
  type OptAnswer,
  type Question,
  RECURSION_AVAILABLE,
  RECURSION_DESIRED,
  TRUNCATED_RESPONSE,
} from 'dns-packet';
import { isWithin, type Known, lookUp, type NameTable } from './name-table.ts';

/** What becomes of a query. */
export type Verdict = { readonly answer: Buffer } | 'forward' | 'drop';

/** How it came: an answer over UDP has a size. */
export type Transport = 'udp' | 'tcp';

/** Zones that are the mesh's even before its names are known: then nothing is said about them, neither way. */
const OWN_ZONES = ['svc.clusterset.local'];
/** Seconds. Addresses hardly ever change; names that are missing may come any moment. */
const TTL = 30;
const NEGATIVE_TTL = 5;
/** Fits every path without fragments (DNS flag day 2020). */
const LARGEST_UDP = 1232;
const RCODE = { none: 0, malformed: 1, failed: 2, absent: 3, refused: 5 } as const;
/** Addresses of single endpoints are as good as the endpoint. */
const BRIEF_TTL = 5;
/** Largest message there is: a length over TCP has two bytes. */
const LARGEST_TCP = 65_535;
/** Version of the specification of multicluster DNS that the names follow (KEP-1645). */
const VERSION = { name: 'dns-version.clusterset.local', ttl: 28_800, data: '1.0.0' };
/** Types by which a caller asks where a name is: what the mesh has for it is all there is. */
const PLACES = new Set(['A', 'AAAA', 'ANY', 'HTTPS', 'SVCB', 'UNKNOWN_64', 'UNKNOWN_65']);

/** Judges a query. Without a table, names of the mesh fail: unknown is not absent. */
export function judge(bytes: Buffer, table: NameTable | undefined, transport: Transport): Verdict {
  const query = decoded(bytes);
  if (query === undefined || query.flag_qr) return 'drop';
  const [question, ...more] = query.questions;
  if (query.opcode !== 'QUERY' || question?.class !== 'IN') return 'forward';
  if (more.length > 0) return { answer: response(query, transport, { rcode: RCODE.malformed }) };
  const name = question.name.toLowerCase().replace(/\.$/, '');
  if (name === VERSION.name) return { answer: response(query, transport, { rcode: RCODE.none, records: versionRecords(question) }) };
  if (table === undefined) return isWithin(name, OWN_ZONES) ? { answer: response(query, transport, { rcode: RCODE.failed }) } : 'forward';
  const known = lookUp(table, name);
  if (known === 'foreign' || (!PLACES.has(question.type) && !isWithin(name, table.zones))) return 'forward';
  if (optOf(query) !== undefined && optOf(query)?.ednsVersion !== 0)
    return { answer: response(query, transport, { rcode: RCODE.none, extendedRcode: 1 }) };
  if (known === 'absent') return { answer: response(query, transport, { rcode: RCODE.absent, zones: table.zones }) };
  const ttl = isBrief(table, known, name) ? BRIEF_TTL : TTL;
  const records = known === 'above' ? [] : turned(recordsOf(question, known, ttl), query.id);
  return { answer: response(query, transport, { rcode: RCODE.none, records, zones: table.zones }) };
}

/** Says that a query failed: nobody else could be asked. Undefined for what is no query. */
export function failure(bytes: Buffer, transport: Transport, kind: 'failed' | 'refused' = 'failed'): Buffer | undefined {
  const query = decoded(bytes);
  return query === undefined ? undefined : response(query, transport, { rcode: RCODE[kind] });
}

function decoded(bytes: Buffer): DecodedPacket | undefined {
  try {
    return decode(bytes);
  } catch {
    return undefined;
  }
}

type KnownName = Exclude<Known, string>;

function recordsOf({ name, type }: Question, { addresses, places }: KnownName, ttl: number): DnsRecord[] {
  if (type === 'SRV') return places.map((place) => ({ name, type, ttl, data: { priority: 0, weight: 10, ...place } }));
  const records = addresses.map((data) => ({ name, type: isIPv4(data) ? ('A' as const) : ('AAAA' as const), ttl, data }));
  return type === 'ANY' ? records : records.filter((record) => record.type === type);
}

/** Of several records another one is the first each time: many callers take that. */
function turned(records: DnsRecord[], by: number): DnsRecord[] {
  const first = records.length === 0 ? 0 : by % records.length;
  return [...records.slice(first), ...records.slice(0, first)];
}

/** A port of a headless service is as brief as its endpoints. */
function isBrief({ brief }: NameTable, known: Known, name: string): boolean {
  return brief.has(name) || (typeof known === 'object' && known.places.some(({ target }) => brief.has(target)));
}

function versionRecords({ name, type }: Question): DnsRecord[] {
  return type === 'TXT' || type === 'ANY' ? [{ ...VERSION, name, type: 'TXT' }] : [];
}

interface Content {
  readonly rcode: number;
  /** The upper bits of the code, which only EDNS has room for. */
  readonly extendedRcode?: number;
  readonly records?: readonly DnsRecord[];
  readonly zones?: readonly string[];
}

function response(query: DecodedPacket, transport: Transport, content: Content): Buffer {
  const { rcode, extendedRcode = 0, records = [], zones = [] } = content;
  const [question] = query.questions;
  const opt = optOf(query);
  const flags = AUTHORITATIVE_ANSWER | RECURSION_AVAILABLE | (query.flags & RECURSION_DESIRED) | rcode;
  const base = {
    ...{ id: query.id, type: 'response' as const, flags, questions: query.questions },
    additionals: opt === undefined ? [] : [ownOpt(extendedRcode)],
  };
  const authorities = records.length > 0 || question === undefined ? [] : soaOf(question.name, zones);
  const whole = fitting(records, (answers) => encode({ ...base, answers, authorities }));
  const room = Math.min(Math.max(512, opt?.udpPayloadSize ?? 512), LARGEST_UDP);
  if (transport === 'tcp' || whole.length <= room) return whole;
  // The caller asks again by TCP.
  return encode({ ...base, flags: flags | TRUNCATED_RESPONSE });
}

/** As many of the records as one message can hold. */
function fitting(records: readonly DnsRecord[], encoded: (records: readonly DnsRecord[]) => Buffer): Buffer {
  let [message, count] = [encoded(records), records.length];
  while (message.length > LARGEST_TCP) {
    count = Math.min(count - 1, Math.floor((count * LARGEST_TCP) / message.length));
    message = encoded(records.slice(0, count));
  }
  return message;
}

function optOf({ additionals }: DecodedPacket): OptAnswer | undefined {
  return additionals.find((record): record is OptAnswer => record.type === 'OPT');
}

function ownOpt(extendedRcode: number): OptAnswer {
  return { name: '.', type: 'OPT', udpPayloadSize: LARGEST_UDP, extendedRcode, ednsVersion: 0, flags: 0, options: [] };
}

/** How long nothing may be remembered (RFC 2308): only for the zones that are the mesh's own. */
function soaOf(name: string, zones: readonly string[]): DnsRecord[] {
  const zone = zones.find((one) => isWithin(name.toLowerCase().replace(/\.$/, ''), [one]));
  if (zone === undefined) return [];
  const data = {
    mname: `ns.${zone}`,
    rname: `hawser.${zone}`,
    serial: 1,
    refresh: 3600,
    retry: 600,
    expire: 86_400,
    minimum: NEGATIVE_TTL,
  };
  return [{ name: zone, type: 'SOA', ttl: NEGATIVE_TTL, data }];
}
