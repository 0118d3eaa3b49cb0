/** What `proxy bootstrap`, `proxy run` and `proxy token` are told, checked. */
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { GATEWAY_NAMESPACE, GATEWAY_SERVICE_ACCOUNT, OUTBOUND_GATEWAY } from '@hawser/model/gateway-identity.ts';
import { WORKLOAD_GROUP_LABEL } from '@hawser/model/workload-group.ts';
import { AppError } from '@hawser/runtime/app-error.ts';
import { canonicalIp } from '@hawser/runtime/canonical-ip.ts';
import { isLoopback, plaintextAllowed, requireLoopback } from '@hawser/runtime/plain-listener.ts';
import { type GlobalFlags, stateDirOf } from '../commands/connect-hub.ts';
import { durationFlag } from '../commands/duration-flag.ts';
import { type AgentHints, locateAgent } from './agent-location.ts';
import type { BootstrapOptions } from './bootstrap.ts';
import type { ProxyRunOptions } from './run.ts';

/** Who the proxy is. */
export interface ProxyIdentityFlags extends GlobalFlags {
  readonly cluster: string;
  readonly name: string;
  readonly namespace?: string;
  readonly serviceAccount?: string;
  readonly address: string;
  readonly gateway?: boolean;
  readonly edge?: boolean;
  readonly capture?: boolean;
  /** False by `--no-ipv6`. */
  readonly ipv6?: boolean;
  readonly outboundGateway?: boolean;
  /** `KEY=VALUE` each. */
  readonly label?: readonly string[];
  readonly workloadGroup?: string;
  readonly region?: string;
  readonly zone?: string;
  readonly agent?: string;
  readonly agentAdmin?: string;
  readonly agentCa?: string;
  readonly adminAddress?: string;
  readonly outboundAddress?: string;
}

/** Flags of `proxy run`. */
export interface ProxyRunFlags extends ProxyIdentityFlags {
  readonly tokenFile: string;
  readonly drain: string;
  readonly concurrency: string;
  readonly execProbe?: boolean;
}

const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** Throws a usage error unless the text is a DNS label, as names of clusters, namespaces and accounts are. */
export function label(flag: string, text: string): string {
  if (!LABEL.test(text)) throw new AppError('usage', `${flag} ${text}: must be lower case letters, digits and -, at most 63`);
  return text;
}

/** Names of proxies may hold dots, as pods' do. */
function proxyName(text: string): string {
  if (!/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/.test(text))
    throw new AppError('usage', `--name ${text}: must be lower case letters, digits, - and .`);
  return text;
}

/** The proxy's own part of its bootstrap. A gateway's namespace and account are known, because its identity is. */
export function proxyOf(flags: ProxyIdentityFlags): Omit<BootstrapOptions, 'agent' | 'agentCa' | 'agentCaFile' | 'token'> {
  const [gateway, outbound] = [flags.gateway === true, flags.outboundGateway === true];
  const known = gateway ? GATEWAY_SERVICE_ACCOUNT : outbound ? OUTBOUND_GATEWAY : undefined;
  const namespace = flags.namespace ?? (known === undefined ? undefined : GATEWAY_NAMESPACE);
  const serviceAccount = flags.serviceAccount ?? known;
  if (namespace === undefined) throw new AppError('usage', '--namespace is required (a gateway has its own)');
  if (serviceAccount === undefined) throw new AppError('usage', '--service-account is required (a gateway has its own)');
  if (gateway && flags.edge === true) throw new AppError('usage', '--gateway and --edge are two kinds of proxy: give one of them');
  if (outbound) refuseBesideOutbound(flags);
  if (isIP(flags.address) === 0) throw new AppError('usage', `--address ${flags.address}: must be an IP address`);
  return {
    role: gateway ? 'gateway' : flags.edge === true ? 'edge' : 'sidecar',
    ...labels(flags),
    cluster: label('--cluster', flags.cluster),
    name: proxyName(flags.name),
    namespace: label('--namespace', namespace),
    serviceAccount: label('--service-account', serviceAccount),
    address: canonicalIp(flags.address),
    adminAddress: adminAddress(flags),
    ...outboundAddress(flags),
    ...(outbound ? { outboundGateway: true as const } : {}),
    ...(flags.capture === true ? { capture: captured(flags) } : {}),
    ...(flags.region === undefined ? {} : { region: flags.region }),
    ...(flags.zone === undefined ? {} : { zone: flags.zone }),
  };
}

/** It has no workload of its own, and is called at its own address. */
function refuseBesideOutbound({ gateway, edge, capture, workloadGroup, outboundAddress: address }: ProxyIdentityFlags): void {
  const others = { gateway, edge, capture, 'workload-group': workloadGroup, 'outbound-address': address };
  const [other] = Object.entries(others).find(([, given]) => given !== undefined && given !== false) ?? [];
  if (other !== undefined)
    throw new AppError(
      'usage',
      `--outbound-gateway calls for workloads without a sidecar, at its own address: it does not go with --${other}`,
    );
}

/** A sidecar joins a WorkloadGroup by a label that names it. */
function labels({ label: texts = [], workloadGroup, gateway, edge }: ProxyIdentityFlags): Pick<BootstrapOptions, 'labels'> {
  if (workloadGroup !== undefined && (gateway === true || edge === true))
    throw new AppError('usage', '--workload-group is for sidecars: others have no workload');
  const group = workloadGroup === undefined ? {} : { [WORKLOAD_GROUP_LABEL]: label('--workload-group', workloadGroup) };
  const all = { ...labelsOf(texts), ...group };
  return Object.keys(all).length === 0 ? {} : { labels: all };
}

/** Where this network namespace has IPv6 on loopback, IPv6 is captured too, unless `--no-ipv6` says that it is not. */
function captured(flags: ProxyIdentityFlags): 'ipv4' | 'dual' {
  if (flags.gateway === true || flags.edge === true) throw new AppError('usage', '--capture is for sidecars: others have no workload');
  const addresses = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
  return flags.ipv6 !== false && addresses.some(({ address }) => address === '::1') ? 'dual' : 'ipv4';
}

function labelsOf(texts: readonly string[]): Record<string, string> {
  const pairs = texts.map((text) => {
    const [, key, value] = /^([-A-Za-z0-9_./]{1,253})=([-A-Za-z0-9_.]{0,63})$/.exec(text) ?? [];
    if (key === undefined || value === undefined) throw new AppError('usage', `--label ${text}: must be KEY=VALUE, as Kubernetes has it`);
    return [key, value] as const;
  });
  return Object.fromEntries(pairs.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Envoy's admin interface can end it and shows what it holds: beyond loopback it needs the operator's word. */
function adminAddress({ address, adminAddress: given }: ProxyIdentityFlags): string {
  const wanted = given ?? (isLoopback(address) || plaintextAllowed() ? address : '127.0.0.1');
  if (isIP(wanted) === 0) throw new AppError('usage', `--admin-address ${wanted}: must be an IP address`);
  requireLoopback(wanted, '--admin-address', { wayOut: 'Envoy’s admin interface has no TLS: keep it on loopback' });
  return wanted;
}

/** Whoever reaches it calls under the workload's identity. */
function outboundAddress({ outboundAddress: given }: ProxyIdentityFlags): Pick<BootstrapOptions, 'outboundAddress'> {
  if (given === undefined) return {};
  if (isIP(given) === 0 || !isLoopback(given))
    throw new AppError(
      'usage',
      `--outbound-address ${given}: must be an address of loopback: who calls there speaks in the workload's name`,
    );
  return { outboundAddress: given };
}

/** What the command line says of the agent. */
export function agentHints(flags: ProxyIdentityFlags & { readonly tokenFile: string }): Omit<AgentHints, 'cluster' | 'stateDir'> {
  return { agent: flags.agent, agentAdmin: flags.agentAdmin, agentCa: flags.agentCa, tokenFile: flags.tokenFile };
}

/** Everything `proxy run` needs. */
export function runOptionsOf(flags: ProxyRunFlags): ProxyRunOptions {
  const stateDir = stateDirOf(flags);
  const concurrency = Number(flags.concurrency);
  if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > 256)
    throw new AppError('usage', `--concurrency ${flags.concurrency}: 1 to 256`);
  return {
    proxy: proxyOf(flags),
    agent: locateAgent({ cluster: flags.cluster, stateDir, ...agentHints(flags) }),
    tokenFile: flags.tokenFile,
    stateDir,
    drainMs: durationFlag('--drain', flags.drain),
    concurrency,
    execProbe: flags.execProbe === true,
  };
}
