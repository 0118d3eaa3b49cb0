/** An agent that a real proxy comes back to, and what that proxy's Envoy says of it. */
import { SnapshotStore } from '@hawser/agent/snapshot/snapshot-store.ts';
import { startAdsAgent, type TestAdsAgent } from './ads-agent.ts';
import { edsCluster, loopbackEndpoints } from './ads-resources.ts';

/** One with one upstream for sidecars, and how often a proxy attached. */
export interface CountingAgent {
  readonly agent: TestAdsAgent;
  readonly store: SnapshotStore;
  attached(): number;
}

/** Starts it, by TLS. */
export async function startCountingAgent(): Promise<CountingAgent> {
  const store = new SnapshotStore();
  store.apply([edsCluster('a', '1s'), loopbackEndpoints('a', [8_080])].map((put) => ({ layer: 'sidecar', put })));
  let attached = 0;
  const onAttach = (): void => {
    attached += 1;
  };
  return { agent: await startAdsAgent({ store, tls: true, onAttach }), store, attached: () => attached };
}

/** A statistic of the Envoy of a workload at this address; NaN while there is none, or nobody answers. */
export async function statAt(address: string, name: string): Promise<number> {
  const text = await fetch(`http://${address}:15000/stats?filter=^${name.replaceAll('.', '\\.')}$`).then(
    (answer) => answer.text(),
    () => '',
  );
  return Number(text.trim().split(': ')[1] ?? Number.NaN);
}
