/** Hosts of policies, compared as Istio does: by full names, `*.` for any beginning. Pure. */
import { clusterLocalHost, clustersetHost, hostKey, parseServiceKey } from '../service-host.ts';

/** The names of what a key stands for; the first is the one for people. */
export function namesOf(key: string): readonly string[] {
  if (key.startsWith('*/')) return [key.slice(2)];
  const name = parseServiceKey(key);
  return [clustersetHost(name), clusterLocalHost(name)];
}

/** Whether a key stands for many hosts. */
export function isWildcard(key: string): boolean {
  return key.startsWith('*/*');
}

/** Whether every host of `key` is one of `pattern`. */
export function covers(pattern: string, key: string): boolean {
  if (pattern === key) return true;
  if (!isWildcard(pattern)) return false;
  const suffix = pattern.slice(3);
  return namesOf(key).some((name) => name.endsWith(suffix));
}

/** The key of a host in a policy of a namespace; the host itself where it is none. */
export function keyOf(host: string, namespace: string): string {
  return hostKey(host, namespace) ?? `*/${host}`;
}

/** A key as people write it. */
export function hostText(key: string): string {
  return key.startsWith('*/') ? key.slice(2) : key;
}
