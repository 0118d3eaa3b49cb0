/** PURE: what a client of the discovery service says that it is. */
import type { Node } from '@hawser/xds/generated/envoy/config/core/v3/base_pb.ts';

/** Longest text that is believed. */
const LONGEST = 64;

/** Such as `1.37.0` of Envoy, and `gRPC Java 1.72.0` of others; undefined: it does not say. */
export function clientVersion(node: Pick<Node, 'userAgentName' | 'userAgentVersionType'> | undefined): string | undefined {
  if (node === undefined) return undefined;
  const { userAgentName: name, userAgentVersionType: given } = node;
  const version = given.case === 'userAgentBuildVersion' ? semantic(given.value.version) : (given.value ?? '');
  const text = name === '' || name === 'envoy' ? version : `${name} ${version}`;
  // Of clients: it is shown in terminals and reports.
  const shown = text.replaceAll(/[^\x20-\x7e]/g, '').trim();
  return shown === '' ? undefined : shown.slice(0, LONGEST);
}

function semantic(version: { readonly majorNumber: number; readonly minorNumber: number; readonly patch: number } | undefined): string {
  return version === undefined ? '' : `${version.majorNumber}.${version.minorNumber}.${version.patch}`;
}
