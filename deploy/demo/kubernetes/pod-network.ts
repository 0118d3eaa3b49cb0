/** Addresses of Pods on this machine: Kubernetes takes no loopback address for an endpoint, so the loopback device gets others. */
import { execFileSync } from 'node:child_process';
import { createServer } from 'node:net';
/** The addresses cannot be had; the message says the way out. */
export class NoPodNetwork extends Error {}

/** A cluster, as far as its Pods' addresses go; they are all in the /24 of the first. */
export interface PodCluster {
  readonly workloads: readonly { readonly address: string }[];
}

/** Makes the addresses of a cluster's Pods ones of this machine; resolves with what takes them away again. Throws `NoPodNetwork`. */
export async function openPodNetwork({ workloads }: PodCluster): Promise<() => void> {
  const [first = ''] = workloads.map(({ address }) => address);
  if (await isOwn(first)) return () => undefined;
  const range = first.replace(/\.\d+$/, '.1/24');
  try {
    ip('address', 'add', range, 'dev', 'lo');
  } catch (error) {
    const [reason = ''] = String((error as { readonly stderr?: unknown }).stderr ?? error).split('\n');
    throw new NoPodNetwork(
      `Pods need addresses that are not loopback's, which Kubernetes refuses: run as root, or run this once: sudo ip address add ${range} dev lo (${reason})`,
    );
  }
  return () => ip('address', 'delete', range, 'dev', 'lo');
}

function ip(...args: readonly string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

/** Whether a process of this machine can listen there. */
function isOwn(host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host, port: 0 }, () => server.close(() => resolve(true)));
  });
}
