/** WasmPlugin: modules that Envoy's own V8 runs requests through, or the bytes of connections. */
import type { JsonObject } from '@bufbuild/protobuf';
import type { WasmPluginSpec } from '@hawser/model/istio/specs.ts';
import type { XdsResource } from '../../snapshot/resource.ts';
import type { FilterConfig } from '../matched-filter.ts';
import type { Side } from '../telemetry/effective-telemetry.ts';
import { type ExtensionPolicies, levelFor, type Policy, type Workload } from '../telemetry/extension-policies.ts';
import { outsideUpstream } from '../telemetry/provider-upstreams.ts';
import { type extension, structured } from '../wire-values.ts';
import { filterForPorts } from './port-matching.ts';

type Plugin = Policy<WasmPluginSpec>;

/** Where a plugin stands: before tokens are verified, before requests are judged, or behind both. */
export type Place = 'authn' | 'authz' | 'behind';

const PHASES: readonly (WasmPluginSpec['phase'] | undefined)[] = ['AUTHN', 'AUTHZ', 'STATS', 'UNSPECIFIED_PHASE'];
const FAILURE = { FAIL_CLOSE: 'FAIL_CLOSED', FAIL_OPEN: 'FAIL_OPEN', FAIL_RELOAD: 'FAIL_RELOAD' } as const;

/** Plugins of a workload in the order in which they see a request: by phase, then the highest priority first. */
export function pluginsFor(workload: Workload, policies: ExtensionPolicies): readonly Plugin[] {
  const phaseOf = ({ spec }: Plugin): number => PHASES.indexOf(spec.phase ?? 'UNSPECIFIED_PHASE');
  return policies.plugins
    .filter((plugin) => levelFor(workload, plugin) !== undefined)
    .sort((a, b) => phaseOf(a) - phaseOf(b) || (b.spec.priority ?? 0) - (a.spec.priority ?? 0));
}

/** The filters of plugins that are for a side and a place. */
export function pluginFilters(plugins: readonly Plugin[], side: Side, place: Place): ReturnType<typeof extension>[] {
  const isHere = ({ spec }: Plugin): boolean => spec.type !== 'NETWORK' && placeOf(spec.phase) === place;
  return plugins.filter(isHere).flatMap((plugin) => {
    const ports = portsFor(plugin, side);
    if (ports === undefined) return [];
    const filter = filterOf(plugin, 'envoy.extensions.filters.http.wasm.v3.Wasm');
    return [ports === 'all' ? structured(filter.name, filter.type, filter.config) : filterForPorts(filter, ports)];
  });
}

/** A filter chain: whose side it is on, and the application's port if it is for one. */
export interface ChainOf {
  readonly side: Side;
  readonly port: number | undefined;
}

/** The filters of plugins that see the bytes of a chain's connections, whatever they carry, at a place; without `place` all of them. */
export function connectionPluginFilters(plugins: readonly Plugin[], chain: ChainOf, place?: Place): ReturnType<typeof extension>[] {
  const isHere = ({ spec }: Plugin): boolean => spec.type === 'NETWORK' && (place === undefined || placeOf(spec.phase) === place);
  return plugins.filter(isHere).flatMap((plugin) => {
    const ports = portsFor(plugin, chain.side);
    const isFor = ports === 'all' || (chain.port !== undefined && ports?.includes(chain.port) === true);
    if (!isFor) return [];
    const { name, type, config } = filterOf(plugin, 'envoy.extensions.filters.network.wasm.v3.Wasm');
    return [structured(name, type, config)];
  });
}

function placeOf(phase: WasmPluginSpec['phase']): Place {
  return phase === 'AUTHN' ? 'authn' : phase === 'AUTHZ' ? 'authz' : 'behind';
}

/** Where the modules of plugins are fetched from. */
export function pluginUpstreams(plugins: readonly Plugin[]): XdsResource[] {
  return plugins.flatMap((plugin) => {
    const at = remoteOf(plugin);
    return at === undefined ? [] : [outsideUpstream(clusterName(plugin), at, { isGrpc: false, isTls: at.isTls })];
  });
}

/** The ports whose requests of a side are meant; undefined when none are. One condition is enough, and one without ports is for all (Istio). */
function portsFor({ spec: { match = [] } }: Plugin, side: Side): readonly number[] | 'all' | undefined {
  const modes: readonly string[] = ['CLIENT_AND_SERVER', 'UNDEFINED', side];
  const held = match.filter(({ mode = 'CLIENT_AND_SERVER' }) => modes.includes(mode));
  if (match.length === 0 || held.some(({ ports = [] }) => ports.length === 0)) return 'all';
  return held.length === 0 ? undefined : held.flatMap(({ ports = [] }) => ports.map(({ number }) => number));
}

function filterOf(plugin: Plugin, type: string): FilterConfig {
  const { namespace, name, spec } = plugin;
  const { pluginName = '', pluginConfig, failStrategy = 'FAIL_CLOSE', vmConfig } = spec;
  const config: JsonObject = {
    name: `${namespace}.${name}`,
    root_id: pluginName,
    failure_policy: FAILURE[failStrategy],
    vm_config: { vm_id: `${namespace}.${name}`, runtime: 'envoy.wasm.runtime.v8', code: codeOf(plugin), ...environment(vmConfig) },
    ...(pluginConfig === undefined
      ? {}
      : { configuration: { '@type': 'type.googleapis.com/google.protobuf.StringValue', value: JSON.stringify(pluginConfig) } }),
  };
  return { name: `wasm.${namespace}.${name}`, type, config: { config } };
}

function codeOf(plugin: Plugin): JsonObject {
  const { url, sha256 = '' } = plugin.spec;
  if (remoteOf(plugin) === undefined) return { local: { filename: url.replace(/^file:\/\//, '') } };
  return { remote: { http_uri: { uri: url, cluster: clusterName(plugin), timeout: '30s' }, sha256: sha256.toLowerCase() } };
}

function environment(vm: WasmPluginSpec['vmConfig']): JsonObject {
  const { env = [] } = vm ?? {};
  if (env.length === 0) return {};
  const fromHost = env.filter(({ valueFrom }) => valueFrom === 'HOST').map(({ name }) => name);
  const inline = env.filter(({ valueFrom }) => valueFrom !== 'HOST').map(({ name, value = '' }) => [name, value] as const);
  return { environment_variables: { host_env_keys: fromHost, key_values: Object.fromEntries(inline) } };
}

function clusterName({ namespace, name }: Plugin): string {
  return `wasm|${namespace}/${name}`;
}

function remoteOf({ spec }: Plugin): { readonly service: string; readonly port: number; readonly isTls: boolean } | undefined {
  const [, scheme, host, port] = /^(https?):\/\/(\[[^\]]+\]|[^/:]+)(?::(\d+))?(?:\/|$)/.exec(spec.url) ?? [];
  if (host === undefined) return undefined;
  const isTls = scheme === 'https';
  return { service: host.replace(/^\[|\]$/g, ''), port: Number(port ?? (isTls ? 443 : 80)), isTls };
}
