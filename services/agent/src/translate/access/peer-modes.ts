/** PeerAuthentication: whether those who call a workload must prove who they are, port by port. Pure. */
import type { PeerAuthenticationMtls, PeerAuthenticationSpec } from '@hawser/model/istio/specs.ts';
import { type ExtensionPolicies, levelFor, type Policy, type Workload } from '../telemetry/extension-policies.ts';

/** What is asked of callers; UNSET is what is farther says. */
export type PeerMode = 'STRICT' | 'PERMISSIVE' | 'DISABLE';

/** What the policies of a workload say. */
export interface PeerModes {
  /** Of ports that have nothing of their own; undefined when nobody says anything. */
  readonly whole: PeerMode | undefined;
  /** By the application's port. */
  readonly ports: ReadonlyMap<number, PeerMode>;
}

/** No policy at all. */
export const NO_MODES: PeerModes = { whole: undefined, ports: new Map() };

/** The workload's own policy is before that of its namespace, and that before the mesh's; the oldest of each level alone counts (Istio). */
export function peerModes(workload: Workload, { peers }: Pick<ExtensionPolicies, 'peers'>): PeerModes {
  if (peers.length === 0) return NO_MODES;
  const oldestAt = (level: 0 | 1 | 2): Policy<PeerAuthenticationSpec> | undefined => peers.find((one) => levelFor(workload, one) === level);
  const own = oldestAt(2);
  const whole = modeOf(own?.spec.mtls) ?? modeOf(oldestAt(1)?.spec.mtls) ?? modeOf(oldestAt(0)?.spec.mtls);
  const ports = Object.entries(own?.spec.portLevelMtls ?? {}).flatMap(([port, mtls]) => {
    const mode = modeOf(mtls);
    return mode === undefined ? [] : [[Number(port), mode] as const];
  });
  return { whole, ports: new Map(ports.sort(([a], [b]) => a - b)) };
}

/** What is asked of those who call a port of the application; undefined when nobody says. */
export function modeAt({ whole, ports }: PeerModes, port: number): PeerMode | undefined {
  return ports.get(port) ?? whole;
}

function modeOf(mtls: PeerAuthenticationMtls | undefined): PeerMode | undefined {
  return mtls?.mode === 'UNSET' ? undefined : mtls?.mode;
}
