/** PURE: the rules by which the kernel leads a workload's traffic to its sidecar, as text for `iptables-restore --noflush`. */
import { PORTS } from '@hawser/model/ports.ts';
import { ipv6TwinRange } from '@hawser/model/virtual-ipv6.ts';

/** What is captured. Lists are as Istio's annotations have them. */
export interface CaptureRules {
  /** User whose traffic is never captured: that of Envoy and its resolver. */
  readonly proxyUser: number;
  /** Destinations that are captured; all of them unless given. The virtual range is, always. */
  readonly includeOutbound: readonly string[] | 'all';
  readonly excludeOutbound: readonly string[];
  /** Ports that are captured whatever their destination. */
  readonly includeOutboundPorts: readonly number[];
  readonly excludeOutboundPorts: readonly number[];
  readonly includeInboundPorts: readonly number[] | 'all';
  readonly excludeInboundPorts: readonly number[];
  /** Callers whose connections go to the application itself: an agent whose health checks must see it and not its sidecar. */
  readonly excludeInboundFrom: readonly string[];
  /** Of IPv4; that of IPv6 follows from it. */
  readonly virtualRange: string;
  readonly dns: boolean;
}

export type Family = 'IPv4' | 'IPv6';

const [OUT, IN, DNS_OUT, DNS_IN] = ['HAWSER_OUTPUT', 'HAWSER_INBOUND', 'HAWSER_DNS', 'HAWSER_DNS_REPLY'];
/** Ports of the sidecar itself: calls of other sidecars, probes and scrapes. */
const SIDECAR = [PORTS.envoyAdmin, PORTS.inbound, PORTS.health, PORTS.stats];

interface Table {
  readonly name: 'nat' | 'raw';
  /** Chain → its rules. */
  readonly chains: Readonly<Record<string, readonly string[]>>;
  /** Rules of the built-in chains that lead there. */
  readonly jumps: readonly string[];
}

/** The text that installs the rules over those that `saved` (of `iptables-save`) shows: installing twice is installing once. */
export function installText(rules: CaptureRules, family: Family, saved: string): string {
  const wanted = tables(rules, family);
  const gone = sections(saved).filter(({ name }) => wanted.every((table) => table.name !== name));
  return [...gone.map(removal), ...wanted.map((table) => tableText(table, saved))].filter((text) => text !== '').join('\n');
}

/** The text that removes every rule of ours that `saved` shows; empty when there is none. Nothing else is touched. */
export function removeText(saved: string): string {
  return sections(saved)
    .map(removal)
    .filter((text) => text !== '')
    .join('\n');
}

/** Declaring a chain empties it, in the same transaction that fills it; the way there stays where it is. */
function tableText({ name, chains, jumps }: Table, saved: string): string {
  const known = sections(saved).find((section) => section.name === name)?.lines ?? [];
  const declared = Object.keys(chains).map((chain) => `:${chain} - [0:0]`);
  const rules = Object.entries(chains).flatMap(([chain, own]) => own.map((rule) => `-A ${chain} ${rule}`));
  return [
    `*${name}`,
    ...declared,
    ...rules,
    ...jumps.map((jump) => `-A ${jump}`).filter((jump) => !known.includes(jump)),
    'COMMIT',
    '',
  ].join('\n');
}

function tables(rules: CaptureRules, family: Family): Table[] {
  const nat: Table = {
    name: 'nat',
    chains: { [OUT]: outbound(rules, family), [IN]: inbound(rules, family) },
    jumps: [`OUTPUT -j ${OUT}`, `PREROUTING -p tcp -j ${IN}`],
  };
  return rules.dns ? [nat, zones(rules)] : [nat];
}

function outbound(rules: CaptureRules, family: Family): string[] {
  const to = (port: number): string => `-j REDIRECT --to-ports ${port}`;
  const own = (cidrs: readonly string[]): string[] => cidrs.filter((cidr) => cidr.includes(':') === (family === 'IPv6'));
  const wanted =
    rules.includeOutbound === 'all' ? [] : own([...rules.includeOutbound, rules.virtualRange, ipv6TwinRange(rules.virtualRange)]);
  return [
    `-m owner --uid-owner ${rules.proxyUser} -j RETURN`,
    ...(rules.dns ? ['udp', 'tcp'].map((protocol) => `-p ${protocol} --dport 53 ${to(PORTS.dns)}`) : []),
    '! -p tcp -j RETURN',
    // What a workload says to itself stays there.
    '-o lo -j RETURN',
    ...rules.excludeOutboundPorts.map((port) => `-p tcp --dport ${port} -j RETURN`),
    ...rules.includeOutboundPorts.map((port) => `-p tcp --dport ${port} ${to(PORTS.capture)}`),
    ...own(rules.excludeOutbound).map((cidr) => `-d ${cidr} -j RETURN`),
    ...(rules.includeOutbound === 'all' ? [`-p tcp ${to(PORTS.capture)}`] : wanted.map((cidr) => `-p tcp -d ${cidr} ${to(PORTS.capture)}`)),
  ];
}

function inbound(rules: CaptureRules, family: Family): string[] {
  const to = `-j REDIRECT --to-ports ${PORTS.inbound}`;
  const from = rules.excludeInboundFrom.filter((cidr) => cidr.includes(':') === (family === 'IPv6'));
  const { includeInboundPorts: ports } = rules;
  return [
    ...from.map((cidr) => `-s ${cidr} -j RETURN`),
    ...[...SIDECAR, ...rules.excludeInboundPorts].map((port) => `-p tcp --dport ${port} -j RETURN`),
    ...(ports === 'all' ? [`-p tcp ${to}`] : ports.map((port) => `-p tcp --dport ${port} ${to}`)),
  ];
}

/**
 * The resolver asks the same resolvers as its workload would, from the same address: were both in one table of connections, a reused
 * port could lead the resolver's question back to itself. So they are kept in two zones.
 */
function zones({ proxyUser }: CaptureRules): Table {
  return {
    name: 'raw',
    chains: {
      [DNS_OUT]: [
        `-p udp --dport 53 -m owner --uid-owner ${proxyUser} -j CT --zone 1`,
        `-p udp --sport ${PORTS.dns} -m owner --uid-owner ${proxyUser} -j CT --zone 2`,
        `-p udp --dport 53 -m owner ! --uid-owner ${proxyUser} -j CT --zone 2`,
      ],
      [DNS_IN]: ['-p udp --sport 53 -j CT --zone 1'],
    },
    jumps: [`OUTPUT -p udp -j ${DNS_OUT}`, `PREROUTING -p udp -j ${DNS_IN}`],
  };
}

interface Section {
  readonly name: string;
  readonly lines: readonly string[];
}

/** The tables of what `iptables-save` said. */
function sections(saved: string): Section[] {
  const parts = saved.split(/^\*/m).slice(1);
  return parts.map((part) => {
    const [name = '', ...lines] = part.split('\n');
    return { name, lines };
  });
}

/** Deletes our jumps and our chains; empty where there are none. */
function removal({ name, lines }: Section): string {
  const jumps = lines.filter((line) => /^-A (OUTPUT|PREROUTING) .*-j HAWSER_/.test(line)).map((line) => `-D ${line.slice('-A '.length)}`);
  const chains = lines.flatMap((line) => /^:(HAWSER_\w+) /.exec(line)?.[1] ?? []);
  if (jumps.length + chains.length === 0) return '';
  return [`*${name}`, ...jumps, ...chains.map((chain) => `-F ${chain}`), ...chains.map((chain) => `-X ${chain}`), 'COMMIT', ''].join('\n');
}
