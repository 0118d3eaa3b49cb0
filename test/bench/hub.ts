/** A hub with 100 clusters of 1,000 services and 5 endpoints each: its memory, one policy to all, and 1,000 resources at once. */
import type { EndpointShard } from '@hawser/model/endpoint-shard.ts';
import type { ApplyAnswer } from '@hawser/wire/hub-api.ts';
import { type FigureBook, percentile } from '../../deploy/demo/figures.ts';
import type { Bench } from './bench.ts';
import { HubUnderTest } from './hub-process.ts';
import { ask } from './kept-alive.ts';
import { type HubApi, SimulatedAgent } from './simulated-agent.ts';

const CLUSTERS = 100;
const SERVICES = 1_000;
const ENDPOINTS = 5;
const SAMPLES = 40;
const BULK = 1_000;
const BULK_ROUNDS = 3;
const AT_ONCE = 8;
const NAMESPACE = 'shop';

/** The benchmark. */
export const hub: Bench = {
  name: 'hub',
  title: `a hub with ${CLUSTERS} clusters × ${SERVICES} services × ${ENDPOINTS} endpoints`,
  bars: { rss_mib: { max: 700, samples: 20 }, p99_ms: { max: 1_000, samples: 20 }, bulk_s: { max: 5, samples: 1 } },
  run: async (book) => {
    const process = new HubUnderTest();
    const agents: SimulatedAgent[] = [];
    try {
      await process.start();
      await measure(process, agents, book);
    } finally {
      await Promise.all(agents.map((agent) => agent.stop()));
      await process.stop();
    }
  },
};

async function measure(process: HubUnderTest, agents: SimulatedAgent[], book: FigureBook): Promise<void> {
  const memory: { mib: number }[] = [];
  const sampler = setInterval(() => memory.push({ mib: process.rssMib }), 500);
  try {
    const api = { url: process.url, token: process.token };
    const cpu = processorTime(process);
    await setUp(api, agents);
    cpu('set up');
    const latencies = await measurePolicies(api, agents);
    cpu(`${SAMPLES} policies`);
    for (const p of [50, 99])
      book.note(
        `p${p}_ms`,
        { value: percentile(latencies, p), unit: 'ms', samples: latencies.length },
        p === 50 ? [] : latencies.map((ms) => ({ ms })),
      );
    const bulks: number[] = [];
    for (let round = 0; round < BULK_ROUNDS; round += 1) bulks.push(await measureBulk(api, agents, round));
    book.note(
      'bulk_s',
      { value: Math.max(...bulks), unit: 's', samples: bulks.length },
      bulks.map((s) => ({ s })),
    );
    cpu(`${BULK_ROUNDS} × ${BULK} resources`);
    console.error(`  bulk: ${bulks.map((s) => s.toFixed(2)).join(', ')} s`);
  } finally {
    clearInterval(sampler);
  }
  book.note('rss_mib', { value: Math.max(...memory.map(({ mib }) => mib)), unit: 'MiB', samples: memory.length }, memory);
}

async function setUp(api: HubApi, agents: SimulatedAgent[]): Promise<void> {
  const started = performance.now();
  const names = Array.from({ length: CLUSTERS }, (_, index) => `c${index}`);
  await inBatches(names, async (name) => void agents.push(await SimulatedAgent.join(api, name, `region-${name}`)));
  note('joined', started);
  await inBatches(agents, (agent) => agent.export(shardsOf(agent.cluster)));
  note('all shards are on the bus', started);
  for (;;) {
    const { clusters } = JSON.parse(await ask({ url: `${api.url}/hawser/v1/status`, token: api.token, timeoutMs: 60_000 })) as {
      clusters: readonly { readonly endpoints: { readonly total: number } }[];
    };
    const seen = clusters.reduce((sum, { endpoints }) => sum + endpoints.total, 0);
    if (seen === CLUSTERS * SERVICES * ENDPOINTS) break;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  note(`the hub counts ${CLUSTERS * SERVICES * ENDPOINTS} endpoints`, started);
}

/** A policy for all clusters, written anew each time → the last agent has that revision of it. */
async function measurePolicies(api: HubApi, agents: readonly SimulatedAgent[]): Promise<number[]> {
  const url = collection(api);
  const policy = (order: string): object => failoverPolicy('everywhere', { order: [order], services: ['s0'] });
  await ask({ method: 'POST', url, token: api.token, timeoutMs: 60_000, body: policy('region-c0') });
  const latencies: number[] = [];
  for (let sample = 1; sample <= SAMPLES; sample += 1) {
    const started = performance.now();
    const body = policy(`region-c${sample}`);
    const { metadata } = JSON.parse(
      await ask({ method: 'PUT', url: `${url}/everywhere`, token: api.token, timeoutMs: 60_000, body }),
    ) as Stored;
    const key = `policy.failoverpolicies.${NAMESPACE}.everywhere`;
    const revision = Number(metadata.resourceVersion);
    const times = await Promise.all(agents.map((agent) => agent.when(({ held }) => held.get(key) === revision)));
    latencies.push(Math.max(...times) - started);
  }
  return latencies;
}

/** 1,000 policies applied at once, ten for each cluster, as `hawser apply` does it → every agent has its own, and the digest that says so. */
async function measureBulk(api: HubApi, agents: readonly SimulatedAgent[], round: number): Promise<number> {
  const resources = Array.from({ length: BULK }, (_, index) => {
    const annotations = { 'hawser.dev/clusters': `name=c${index % CLUSTERS}` };
    return failoverPolicy(`bulk-${round}-${index}`, { services: [`s${index % SERVICES}`], order: ['region-c0'] }, annotations);
  });
  const started = performance.now();
  const url = `${api.url}/hawser/v1/apply`;
  const answer = await ask({ method: 'POST', url, token: api.token, timeoutMs: 60_000, body: { resources } });
  const { results } = JSON.parse(answer) as ApplyAnswer;
  const refused = results.find(({ action }) => action !== 'created');
  if (refused !== undefined) throw new Error(`a resource was ${refused.action}: ${refused.error?.message}`);
  note(`${BULK} resources are written`, started);
  const newest = Math.max(...results.map(({ revision }) => revision));
  const own = BULK / CLUSTERS;
  const count = ({ held }: SimulatedAgent): number => [...held.keys()].filter((key) => key.includes(`.bulk-${round}-`)).length;
  const times = await Promise.all(agents.map((agent) => agent.when((one) => one.consistent.revision >= newest && count(one) === own)));
  return (Math.max(...times) - started) / 1_000;
}

interface Stored {
  readonly metadata: { readonly resourceVersion: string };
}

function collection(api: HubApi): string {
  return `${api.url}/apis/hawser.dev/v1alpha1/namespaces/${NAMESPACE}/failoverpolicies`;
}

function failoverPolicy(name: string, spec: object, annotations: Readonly<Record<string, string>> = {}): object {
  return { apiVersion: 'hawser.dev/v1alpha1', kind: 'FailoverPolicy', metadata: { namespace: NAMESPACE, name, annotations }, spec };
}

function* shardsOf(cluster: string): Iterable<EndpointShard> {
  const net = Number(cluster.slice(1));
  for (let service = 0; service < SERVICES; service += 1) {
    const endpoints = Array.from({ length: ENDPOINTS }, (_, index) => ({
      address: `10.${net}.${service % 250}.${Math.floor(service / 250) * ENDPOINTS + index + 1}`,
      targetPorts: { '80': 8080 },
      labels: { app: `s${service}`, version: 'v1' },
      serviceAccount: `s${service}`,
      health: 'HEALTHY' as const,
    }));
    const ports = [{ name: 'http', port: 80, protocol: 'http' as const }];
    yield { cluster, namespace: NAMESPACE, service: `s${service}`, exported: true, ports, endpoints };
  }
}

/** A few at once, as a CLI or a pipeline does. */
async function inBatches<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const rest = [...items].reverse();
  const worker = async (): Promise<void> => {
    for (let item = rest.pop(); item !== undefined; item = rest.pop()) await work(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

/** Tells what each step cost: on a machine that does other things too, that says more than how long it took. */
function processorTime(process: HubUnderTest): (step: string) => void {
  let before = process.cpuSeconds();
  return (step) => {
    const now = process.cpuSeconds();
    const spent = Object.entries(now).map(([name, seconds]) => `${name} ${(seconds - (before[name] ?? 0)).toFixed(1)}`);
    console.error(`  processor seconds, ${step}: ${spent.join(', ')}`);
    before = now;
  };
}

function note(what: string, since: number): void {
  console.error(`  ${((performance.now() - since) / 1_000).toFixed(1)} s: ${what}`);
}
