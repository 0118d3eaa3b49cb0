/** The agent's configuration: flags over `HAWSER_*` over defaults, checked once, then frozen. */
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { GATEWAY_NAMESPACE, OUTBOUND_GATEWAY } from '@hawser/model/gateway-identity.ts';
import { DnsLabel } from '@hawser/model/kind-specs.ts';
import { PORTS } from '@hawser/model/ports.ts';
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import { flagName } from '@hawser/runtime/flag-name.ts';
import { isLoopback, plaintextAllowed, requireLoopback } from '@hawser/runtime/plain-listener.ts';
import { Compile } from 'typebox/compile';
import { type RegistryPlace, registryPlace } from './discover/registry-place.ts';
import { parseVirtualRange, VIRTUAL_RANGE, type VirtualRange } from './translate/capture/virtual-addresses.ts';
import type { CaKeySource } from './trust/ca-encryption.ts';

/** Every setting of the agent. */
export interface AgentConfig {
  /** Join token; needed until the cluster has joined. */
  readonly token: string | undefined;
  readonly cluster: string | undefined;
  readonly registry: RegistryPlace;
  /** Absolute path. */
  readonly stateDir: string;
  /** Absolute path of the folder that the cluster's replicas share; undefined for the cluster's folder below `stateDir`. */
  readonly identityDir: string | undefined;
  /** Of the key that the cluster's signing keys are encrypted with; without one it is made in the identity folder. */
  readonly caKey: CaKeySource;
  /** PEM of CAs that an https hub may have, beside the system's. */
  readonly hubCa: string | undefined;
  /** IP address that xDS binds. */
  readonly address: string;
  /** IP address that the admin door binds, always in plain HTTP: `address` on loopback, else 127.0.0.1. */
  readonly adminAddress: string;
  /** Whether xDS is served by TLS with a certificate of the cluster's own authority. */
  readonly tls: boolean;
  /** `IP:PORT` of the cluster's gateways, sorted. */
  readonly gateways: readonly string[];
  /** 0 takes a free port. */
  readonly xdsPort: number;
  readonly adminPort: number;
  /** Addresses that stand for names of the mesh; the same for every replica of a cluster. */
  readonly virtualRange: VirtualRange;
  /** Up to so many upstreams, sidecars are sent them all; of more, those that policy and recent use call for (decision 0017). */
  readonly sendAllUpTo: number;
  /** Absolute path of the settings that sidecars are injected by (decision 0038); undefined where none are. */
  readonly inject: string | undefined;
  /** `NAMESPACE/NAME` of the ConfigMap that the cluster's trust bundle is kept in; undefined for none. */
  readonly trustConfigMap: string | undefined;
  /** Whether the cluster's gateways speak for workloads without a sidecar (decision 0040). */
  readonly gatewayMode: boolean;
  /** The Service of the proxies that call for workloads without a sidecar; of use in gateway mode alone. */
  readonly outboundGateway: { readonly namespace: string; readonly name: string };
  /** Whether imports have EndpointSlices of the clusters that export them. */
  readonly importEndpointSlices: boolean;
}

/** Settings as flags give them: camel case; those that repeat are lists, those without a value true. */
export type AgentFlags = Readonly<Record<string, string | boolean | readonly string[] | undefined>>;

const VARIABLES: Readonly<Record<string, string>> = {
  token: 'HAWSER_JOIN_TOKEN',
  tokenFile: 'HAWSER_JOIN_TOKEN_FILE',
  cluster: 'HAWSER_CLUSTER',
  registryDir: 'HAWSER_REGISTRY_DIR',
  kubernetes: 'HAWSER_AGENT_KUBERNETES',
  kubeconfig: 'HAWSER_AGENT_KUBECONFIG',
  context: 'HAWSER_AGENT_CONTEXT',
  secretNamespace: 'HAWSER_AGENT_SECRET_NAMESPACE',
  edgeAccount: 'HAWSER_AGENT_EDGE_ACCOUNT',
  stateDir: 'HAWSER_STATE_DIR',
  identityDir: 'HAWSER_AGENT_IDENTITY_DIR',
  address: 'HAWSER_AGENT_ADDRESS',
  gateway: 'HAWSER_AGENT_GATEWAY',
  xdsPort: 'HAWSER_AGENT_XDS_PORT',
  adminPort: 'HAWSER_AGENT_ADMIN_PORT',
  virtualRange: 'HAWSER_AGENT_VIRTUAL_RANGE',
  sendAllUpTo: 'HAWSER_AGENT_SEND_ALL_UP_TO',
  adminAddress: 'HAWSER_AGENT_ADMIN_ADDRESS',
  tls: 'HAWSER_AGENT_TLS',
  caFile: 'HAWSER_CA_FILE',
  caKeyFile: 'HAWSER_CA_KEY_FILE',
  inject: 'HAWSER_AGENT_INJECT',
  trustConfigMap: 'HAWSER_AGENT_TRUST_CONFIG_MAP',
  gatewayMode: 'HAWSER_AGENT_GATEWAY_MODE',
  outboundGateway: 'HAWSER_AGENT_OUTBOUND_GATEWAY',
  importEndpointSlices: 'HAWSER_AGENT_IMPORT_ENDPOINT_SLICES',
};

const dnsLabel = Compile(DnsLabel);

/** Reads the configuration; throws `config-invalid` naming the flag. */
export function loadAgentConfig(flags: AgentFlags, env: NodeJS.ProcessEnv = process.env): AgentConfig {
  const unknown = Object.keys(flags).find((flag) => !Object.hasOwn(VARIABLES, flag));
  if (unknown !== undefined) throw new AppError('config-invalid', `${flagName(unknown)} is not a setting of the agent`);
  const list = (name: string): readonly string[] => listOf(flags[name] ?? env[VARIABLES[name] ?? '']);
  const text = (name: string): string | undefined => list(name)[0];
  const registry = registryPlace(list);
  const address = checkedAddress('--address', text('address') ?? '127.0.0.1');
  const tls = speaksTls(text('tls') ?? 'auto', address, env);
  if (!tls) requireLoopback(address, '--address (HAWSER_AGENT_ADDRESS)', { env });
  const adminAddress = checkedAddress('--admin-address', text('adminAddress') ?? adminBeside(address, env));
  const wayOut = 'the admin door has no TLS: keep it on loopback';
  requireLoopback(adminAddress, '--admin-address (HAWSER_AGENT_ADMIN_ADDRESS)', { env, wayOut });
  const gateways = list('gateway');
  return Object.freeze({
    token: text('token') ?? fromFile('--token-file', text('tokenFile')),
    cluster: checkedCluster(text('cluster')),
    registry,
    stateDir: resolve(text('stateDir') ?? '.hawser'),
    identityDir: absolute(text('identityDir')),
    // The key itself is never a flag: every user of the machine reads the arguments of a process.
    caKey: { file: absolute(text('caKeyFile')), value: env['HAWSER_CA_KEY'] || undefined },
    hubCa: fromFile('--ca-file (HAWSER_CA_FILE)', text('caFile')),
    ...{ address, adminAddress, tls },
    gateways: (gateways.length > 0 ? gateways : [hostPort(address, PORTS.gateway)]).map(checkedGateway).sort(),
    xdsPort: portOf('xds-port', text('xdsPort') ?? String(PORTS.agentXds)),
    adminPort: portOf('admin-port', text('adminPort') ?? String(PORTS.agentAdmin)),
    virtualRange: rangeOf(text('virtualRange')),
    sendAllUpTo: upTo(text('sendAllUpTo') ?? '100'),
    inject: absolute(ofKubernetes('--inject (HAWSER_AGENT_INJECT)', text('inject'), registry)),
    trustConfigMap: checkedConfigMap(text('trustConfigMap'), registry),
    ...gatewayModeOf(text('gatewayMode'), text('outboundGateway')),
    importEndpointSlices: slicesOf(text('importEndpointSlices'), registry),
  });
}

/** `IP:PORT`, with brackets around IPv6. */
export function hostPort(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function absolute(path: string | undefined): string | undefined {
  return path === undefined ? undefined : resolve(path);
}

function listOf(value: AgentFlags[string]): readonly string[] {
  const values = typeof value === 'object' ? value : value === undefined ? [] : String(value).split(',');
  return values.map((one) => one.trim()).filter((one) => one !== '');
}

/** `auto`: beyond loopback, unless plain text was allowed there. */
function speaksTls(mode: string, address: string, env: NodeJS.ProcessEnv): boolean {
  if (!['auto', 'on', 'off'].includes(mode))
    throw new AppError('config-invalid', `--tls (HAWSER_AGENT_TLS) is ${JSON.stringify(mode)}; expected auto, on or off`);
  return mode === 'on' || (mode === 'auto' && !isLoopback(address) && !plaintextAllowed(env));
}

function adminBeside(address: string, env: NodeJS.ProcessEnv): string {
  return isLoopback(address) || plaintextAllowed(env) ? address : '127.0.0.1';
}

function checkedAddress(flag: string, address: string): string {
  if (isIP(address) === 0) throw new AppError('config-invalid', `${flag} is ${JSON.stringify(address)}, which is not an IP address`);
  return address;
}

function fromFile(flag: string, path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw new AppError('config-invalid', `${flag}: ${messageOf(error)}`, { cause: error });
  }
}

/** A cluster's name is the name of its folder, too. */
function checkedCluster(name: string | undefined): string | undefined {
  if (name === undefined || dnsLabel.Check(name)) return name;
  throw new AppError('config-invalid', `--cluster is ${JSON.stringify(name)}; expected lower-case letters, digits and "-" (RFC 1123)`);
}

function checkedGateway(text: string): string {
  const [, address = '', port = ''] = /^\[?([^\]]*)\]?:(\d+)$/.exec(text) ?? [];
  if (isIP(address) === 0 || portOf('gateway', port === '' ? 'none' : port) === 0)
    throw new AppError('config-invalid', `--gateway is ${JSON.stringify(text)}; expected IP:PORT`);
  return text;
}

function portOf(flag: string, text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65535)
    throw new AppError('config-invalid', `--${flag} is ${JSON.stringify(text)}, which is not a port`);
  return port;
}

function upTo(text: string): number {
  const count = Number(text);
  if (Number.isSafeInteger(count) && count >= 0) return count;
  throw new AppError('config-invalid', `--send-all-up-to is ${JSON.stringify(text)}; expected a number of upstreams, such as 100`);
}

function ofKubernetes(flag: string, value: string | undefined, { kind }: RegistryPlace): string | undefined {
  if (value === undefined || kind === 'kubernetes') return value;
  throw new AppError('config-invalid', `${flag} is for --kubernetes, which is not given`);
}

function checkedConfigMap(text: string | undefined, registry: RegistryPlace): string | undefined {
  const flag = '--trust-config-map (HAWSER_AGENT_TRUST_CONFIG_MAP)';
  if (text !== undefined && !/^[a-z0-9][-a-z0-9]*\/[a-z0-9][-a-z0-9.]*$/.test(text))
    throw new AppError('config-invalid', `${flag} is ${JSON.stringify(text)}; expected NAMESPACE/NAME`);
  return ofKubernetes(flag, text, registry);
}

function slicesOf(text: string | undefined, registry: RegistryPlace): boolean {
  const flag = '--import-endpoint-slices (HAWSER_AGENT_IMPORT_ENDPOINT_SLICES)';
  return isOn(flag, ofKubernetes(flag, text, registry));
}

/** A switch that is said, or is not. */
function isOn(flag: string, text: string | undefined): boolean {
  if (text === undefined || text === 'true') return text === 'true';
  throw new AppError('config-invalid', `${flag} is ${JSON.stringify(text)}; expected true, or nothing`);
}

function gatewayModeOf(mode: string | undefined, outbound: string | undefined): Pick<AgentConfig, 'gatewayMode' | 'outboundGateway'> {
  const gatewayMode = isOn('--gateway-mode (HAWSER_AGENT_GATEWAY_MODE)', mode);
  if (mode === undefined && outbound !== undefined)
    throw new AppError('config-invalid', '--outbound-gateway (HAWSER_AGENT_OUTBOUND_GATEWAY) is for --gateway-mode, which is not given');
  const [namespace = '', name = '', ...more] = (outbound ?? `${GATEWAY_NAMESPACE}/${OUTBOUND_GATEWAY}`).split('/');
  if (![namespace, name].every((one) => dnsLabel.Check(one)) || more.length > 0)
    throw new AppError(
      'config-invalid',
      `--outbound-gateway is ${JSON.stringify(outbound)}; expected NAMESPACE/NAME of a Service, such as hawser-system/hawser-outbound`,
    );
  return { gatewayMode, outboundGateway: { namespace, name } };
}

function rangeOf(text: string | undefined): VirtualRange {
  const range = text === undefined ? VIRTUAL_RANGE : parseVirtualRange(text);
  if (range !== undefined) return range;
  throw new AppError(
    'config-invalid',
    `--virtual-range is ${JSON.stringify(text)}; expected an IPv4 range of /8 to /24, such as 240.240.0.0/12`,
  );
}
