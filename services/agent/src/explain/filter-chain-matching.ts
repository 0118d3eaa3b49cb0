/** Which filter chain takes a connection, as Envoy decides: condition by condition, and it never comes back from one. Pure. */
import { isInRange } from '@hawser/model/address-range.ts';
import type { FilterChain, FilterChainMatch } from '@hawser/xds/generated/envoy/config/listener/v3/listener_components_pb.ts';
import type { Listener } from '@hawser/xds/generated/envoy/config/listener/v3/listener_pb.ts';

/** A connection whose client speaks anything but HTTP. */
export interface ExplainedConnection {
  /** Where it was going. */
  readonly address: string;
  readonly port: number;
  /** Of its TLS; undefined without. */
  readonly serverName: string | undefined;
}

/** The chain, or the listener's default; undefined: the connection is closed. Chains for certain addresses of callers are left out. */
export function chainOfConnection(
  { filterChains, defaultFilterChain }: Listener,
  connection: ExplainedConnection,
): FilterChain | undefined {
  const anybodys = filterChains.filter(({ filterChainMatch }) => (filterChainMatch?.sourcePrefixRanges ?? []).length === 0);
  const [chain] = STEPS.reduce((chains, step) => step(chains, connection), anybodys);
  return chain ?? defaultFilterChain;
}

type Step = (chains: FilterChain[], connection: ExplainedConnection) => FilterChain[];

function matchOf({ filterChainMatch }: FilterChain): Partial<FilterChainMatch> {
  return filterChainMatch ?? {};
}

/** Those that say it, if there are any, else those that say nothing. */
function saying(chains: FilterChain[], holds: (match: Partial<FilterChainMatch>) => boolean, isSilent: typeof holds): FilterChain[] {
  const found = chains.filter((chain) => holds(matchOf(chain)));
  return found.length > 0 ? found : chains.filter((chain) => isSilent(matchOf(chain)));
}

const byPort: Step = (chains, { port }) =>
  saying(
    chains,
    ({ destinationPort }) => destinationPort === port,
    ({ destinationPort }) => destinationPort === undefined,
  );

const byAddress: Step = (chains, { address }) => {
  const bitsOf = ({ prefixRanges = [] }: Partial<FilterChainMatch>): number =>
    Math.max(
      -1,
      ...prefixRanges.map(({ addressPrefix, prefixLen = 0 }) => (isInRange(address, `${addressPrefix}/${prefixLen}`) ? prefixLen : -1)),
    );
  const most = Math.max(-1, ...chains.map((chain) => bitsOf(matchOf(chain))));
  return saying(
    chains,
    (match) => most >= 0 && bitsOf(match) === most,
    ({ prefixRanges = [] }) => prefixRanges.length === 0,
  );
};

const byServerName: Step = (chains, { serverName = '' }) => {
  const parts = serverName.toLowerCase().split('.');
  const wanted = [parts.join('.'), ...parts.slice(1).map((_, index) => `*.${parts.slice(index + 1).join('.')}`)];
  const best =
    serverName === '' ? undefined : wanted.find((name) => chains.some((chain) => matchOf(chain).serverNames?.includes(name) === true));
  return saying(
    chains,
    ({ serverNames = [] }) => best !== undefined && serverNames.includes(best),
    ({ serverNames = [] }) => serverNames.length === 0,
  );
};

const byTransport: Step = (chains, { serverName }) =>
  saying(
    chains,
    ({ transportProtocol = '' }) => transportProtocol === (serverName === undefined ? 'raw_buffer' : 'tls'),
    ({ transportProtocol = '' }) => transportProtocol === '',
  );

/** What is neither HTTP nor names a protocol in its TLS. */
const byApplication: Step = (chains) => chains.filter((chain) => (matchOf(chain).applicationProtocols ?? []).length === 0);

const STEPS: readonly Step[] = [byPort, byAddress, byServerName, byTransport, byApplication];
