/** Where the rules of a VirtualService lead, each with its field. Pure. */
import type { Destination, VirtualServiceSpec } from '../istio/specs.ts';

/** A destination and where it stands. */
export interface DestinationAt {
  readonly field: string;
  readonly destination: Destination;
}

/** All of them, mirrors too. */
export function destinationsOf(spec: VirtualServiceSpec): readonly DestinationAt[] {
  return [
    ...(spec.http ?? []).flatMap((rule, index) => {
      const at = `spec.http[${index}]`;
      return [
        ...routed(at, rule.route),
        ...(rule.mirror === undefined ? [] : [{ field: `${at}.mirror`, destination: rule.mirror }]),
        ...(rule.mirrors ?? []).map(({ destination }, m) => ({ field: `${at}.mirrors[${m}].destination`, destination })),
      ];
    }),
    ...(spec.tcp ?? []).flatMap(({ route }, index) => routed(`spec.tcp[${index}]`, route)),
    ...(spec.tls ?? []).flatMap(({ route }, index) => routed(`spec.tls[${index}]`, route)),
  ];
}

function routed(at: string, route: readonly { readonly destination: Destination }[] | undefined): readonly DestinationAt[] {
  return (route ?? []).map(({ destination }, index) => ({ field: `${at}.route[${index}].destination`, destination }));
}

/** Whether its rules hold for callers in the mesh, and not at gateways alone. */
export function isForMesh(gateways: readonly string[] | undefined): boolean {
  return gateways === undefined || gateways.length === 0 || gateways.includes('mesh');
}
