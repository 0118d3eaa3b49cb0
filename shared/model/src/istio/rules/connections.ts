/** Rules of VirtualServices for connections that are not HTTP: `tcp` and `tls`. Pure. */
import { isAddressRange } from '../../address-range.ts';
import { hostKey } from '../../service-host.ts';
import type { SchemaProblem } from '../../validate-schema.ts';
import type { VirtualServiceSpec, VirtualServiceTcpMatch, VirtualServiceTcpRoute } from '../specs.ts';
import { invalid, labelProblems, rangeProblems, required, type Steps } from './checks.ts';
import { destinationProblems, MOST_WEIGHT, weightProblems } from './destinations.ts';

/** Every problem of the `tcp` and `tls` rules of a VirtualService. */
export function connectionProblems({ hosts = [], tcp = [], tls = [] }: VirtualServiceSpec, namespace: string): readonly SchemaProblem[] {
  return [
    ...tcp.flatMap((rule, index) => [
      ...routeProblems(['tcp', index, 'route'], rule.route, namespace),
      ...(rule.match ?? []).flatMap((match, at) => matchProblems(['tcp', index, 'match', at], match)),
    ]),
    ...tls.flatMap((rule, index) => [
      ...routeProblems(['tls', index, 'route'], rule.route, namespace),
      ...required(['tls', index, 'match'], rule.match),
      ...rule.match.flatMap((match, at) => [
        ...matchProblems(['tls', index, 'match', at], match),
        ...nameProblems(['tls', index, 'match', at, 'sniHosts'], match.sniHosts, hosts),
      ]),
    ]),
  ];
}

function routeProblems(steps: Steps, route: readonly VirtualServiceTcpRoute[] | undefined, namespace: string): readonly SchemaProblem[] {
  return [
    ...required(steps, route),
    ...(route ?? []).flatMap(({ destination, weight }, index) => [
      ...destinationProblems([...steps, index, 'destination'], destination, namespace),
      ...rangeProblems([...steps, index, 'weight'], weight, [0, MOST_WEIGHT]),
    ]),
    ...weightProblems(
      steps,
      (route ?? []).map(({ weight }) => weight),
    ),
  ];
}

function matchProblems(steps: Steps, match: VirtualServiceTcpMatch): readonly SchemaProblem[] {
  const ranges = (match.destinationSubnets ?? []).map((text, index) => [[...steps, 'destinationSubnets', index], text] as const);
  const source = match.sourceSubnet === undefined ? [] : [[[...steps, 'sourceSubnet'], match.sourceSubnet] as const];
  return [
    ...[...ranges, ...source].flatMap(([at, text]) =>
      isAddressRange(text) ? [] : [invalid(at, `is ${JSON.stringify(text)}; it must be an IP address, or one with /BITS`)],
    ),
    ...rangeProblems([...steps, 'port'], match.port, [1, 65_535]),
    ...labelProblems([...steps, 'sourceLabels'], match.sourceLabels),
  ];
}

/** Server names are hosts of the VirtualService, or below a wildcard of it (Istio). */
function nameProblems(steps: Steps, names: readonly string[], hosts: readonly string[]): readonly SchemaProblem[] {
  const isCovered = (name: string): boolean =>
    hosts.some(
      (host) => host === '*' || host === name || (host.startsWith('*.') && name.endsWith(host.slice(1))) || isSameService(host, name),
    );
  return [
    ...required(steps, names),
    ...names.flatMap((name, index) => {
      if (hostKey(name, 'any') === undefined) return [invalid([...steps, index], `is ${JSON.stringify(name)}, which is no host name`)];
      return isCovered(name) ? [] : [invalid([...steps, index], `is ${name}, which is none of the hosts: add it to hosts`)];
    }),
  ];
}

/** A host that is short, or that spells the service otherwise, covers every name of the service. */
function isSameService(host: string, name: string): boolean {
  const [first] = host.split('.');
  const isService = !host.includes('.') || hostKey(host, '')?.startsWith('*/') === false;
  return isService && name.split('.')[0] === first;
}
