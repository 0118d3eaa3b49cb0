/** Gateways and VirtualServices that do not meet: nobody listens, nobody serves the host, or the Gateway is not there. Pure. */
import type { ProxyRef } from '../../state/world.ts';
import type { RuleProblem } from '../routes/rule-problems.ts';
import { selects } from '../scope/scope.ts';
import type { BoundService, EdgeGateway, EdgeIndex } from './edge-index.ts';
import { commonHost, serverHost, wantedHosts } from './host-names.ts';

/** What the policies in force say that no proxy can do, given the edge proxies that are there. */
export function bindingProblems(index: EdgeIndex, edges: readonly ProxyRef[]): RuleProblem[] {
  const gateways = new Map(index.gateways.map((gateway) => [gateway.key, gateway]));
  return [...index.gateways.flatMap((gateway) => unselected(gateway, edges)), ...index.services.flatMap((one) => unserved(one, gateways))];
}

/** A cluster without any edge proxy is not where Gateways are for; one that has some is expected to serve them. */
function unselected({ policy, spec }: EdgeGateway, edges: readonly ProxyRef[]): RuleProblem[] {
  const selector = spec.selector ?? {};
  if (edges.length === 0 || edges.some(({ labels = {} }) => selects(selector, labels))) return [];
  const wanted = Object.entries(selector).map(([key, value]) => `${key}=${value}`);
  return [{ policy, field: 'spec.selector', message: `no edge proxy that is connected here has the labels ${wanted.join(', ')}` }];
}

function unserved(service: BoundService, gateways: ReadonlyMap<string, EdgeGateway>): RuleProblem[] {
  const { policy, namespace, spec } = service;
  const missing = [...service.gateways].filter(([key]) => !gateways.has(key));
  const known = [...service.gateways.keys()].map((key) => gateways.get(key)).filter((gateway) => gateway !== undefined);
  const isMesh = (spec.gateways ?? []).includes('mesh') || spec.gateways === undefined || spec.gateways.length === 0;
  const hosts = (spec.hosts ?? []).map((host, index) => ({ host, index }));
  const stray = known.length === 0 || isMesh ? [] : hosts.filter(({ host }) => !known.some((gateway) => serves(gateway, host, namespace)));
  return [
    ...missing.map(([key, field]) => ({ policy, field, message: `there is no Gateway ${key} here: nothing of it is served there` })),
    ...stray.map(({ host, index }) => ({
      policy,
      field: `spec.hosts[${index}]`,
      message: `${names(known)} serves no host ${host} for ${namespace}`,
    })),
  ];
}

function serves({ spec, namespace: own }: EdgeGateway, host: string, namespace: string): boolean {
  const allowed = (spec.servers ?? []).flatMap((server) => server.hosts.map((text) => serverHost(text, own)));
  return allowed.some(
    (one) =>
      (one.namespace === '*' || one.namespace === namespace) &&
      wantedHosts(host, namespace).some((wanted) => commonHost(one.host, wanted) !== undefined),
  );
}

function names(gateways: readonly EdgeGateway[]): string {
  return gateways.map(({ policy }) => policy).join(' and ');
}
