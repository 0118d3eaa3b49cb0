/** Machines of a WorkloadGroup, whole: `hawser proxy run` with a real Envoy, the agent and the hub as processes; callers by real requests. */
import { createServer, type Server } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { callHttp } from '../behaviour/kit/clients.ts';
import { HawserProcesses, type RunningCluster } from '../kit/hawser-processes.ts';
import { eventually } from '../kit/served.ts';

const [ONE, TWO, CLIENT] = ['127.89.1.11', '127.89.1.12', '127.89.1.20'] as const;
const SERVICE = `{apiVersion: v1, kind: Service, metadata: {name: reviews, namespace: bookinfo}, spec: {selector: {app: reviews}, ports: [{name: http, port: 80}]}}
---
{apiVersion: multicluster.x-k8s.io/v1alpha1, kind: ServiceExport, metadata: {name: reviews, namespace: bookinfo}}
`;
const GROUP = `
apiVersion: networking.istio.io/v1
kind: WorkloadGroup
metadata: {name: machines, namespace: bookinfo}
spec:
  metadata: {labels: {app: reviews}}
  template: {serviceAccount: reviews, ports: {http: 8080}}
  probe: {httpGet: {path: /ready, port: 8081, httpHeaders: [{name: x-probe, value: mine}]}, periodSeconds: 1, failureThreshold: 2}
`;

/** The application of a machine, and the door that its probe asks. */
class Machine {
  readonly address: string;
  readonly #servers: readonly Server[];
  isWell = true;

  constructor(address: string) {
    this.address = address;
    this.#servers = [
      createServer((_request, response) => response.setHeader('x-served-by', address).end('{}')),
      createServer(({ url, headers }, response) => {
        response.statusCode = this.isWell && url === '/ready' && headers['x-probe'] === 'mine' ? 200 : 503;
        response.end();
      }),
    ];
  }

  async start(): Promise<void> {
    const listening = this.#servers.map((server, at) => new Promise<void>((done) => server.listen(8080 + at, this.address, done)));
    await Promise.all(listening);
  }

  stop(): void {
    for (const server of this.#servers) server.close().closeAllConnections();
  }
}

describe('machines of a WorkloadGroup', { timeout: 180_000 }, () => {
  const hawser = new HawserProcesses();
  const [one, two] = [new Machine(ONE), new Machine(TWO)];
  let cluster: RunningCluster;

  beforeAll(async () => {
    await Promise.all([one.start(), two.start(), hawser.startHub()]);
    cluster = await hawser.join('us-east', { 'reviews.yaml': SERVICE });
    await cluster.sidecar(CLIENT);
    const applied = await hawser.run(['apply', '-f', '-'], { input: GROUP });
    expect(applied.stderr + applied.stdout).toContain('created');
  }, 120_000);
  afterAll(async () => {
    one.stop();
    two.stop();
    await hawser.stop();
  });

  const join = (machine: Machine, name: string) =>
    hawser.proxy('us-east', {
      ...{ serviceAccount: 'reviews', name, address: machine.address, agents: [`127.0.0.1:${cluster.xdsPort}`] },
      flags: ['--workload-group', 'machines', '--drain', '1s'],
    });
  /** Who answers ten calls: addresses, or the status where nobody did. */
  const answers = async (): Promise<string[]> => {
    const seen = new Set<string>();
    for (let count = 0; count < 10; count += 1) {
      const { servedBy, status } = await callHttp({ address: CLIENT, port: 15001 }, {});
      seen.add(servedBy || String(status));
    }
    return [...seen].sort();
  };
  const untilAnswered = async (...expected: string[]): Promise<void> => {
    let seen: string[] = [];
    await eventually(
      async () => {
        seen = await answers();
        return seen.join() === expected.join();
      },
      () => `expected ${expected}, seen ${seen}`,
    );
  };

  it('serve while their probe succeeds, and nobody else does', async () => {
    two.isWell = false;
    const [first, second] = await Promise.all([join(one, 'vm-1'), join(two, 'vm-2')]);
    await untilAnswered(ONE);
    await second.says('the workload is not ready: it answered 503');
    two.isWell = true;
    await untilAnswered(ONE, TWO);
    one.isWell = false;
    await untilAnswered(TWO);
    // Nobody is ready: Envoy must not choose among all of them.
    two.isWell = false;
    await untilAnswered('503');
    one.isWell = true;
    await untilAnswered(ONE);
    two.isWell = true;
    await untilAnswered(ONE, TWO);
    await first.end('SIGTERM');
    await untilAnswered(TWO);
    await eventually(
      async () => !(await (await fetch(`http://127.0.0.1:${cluster.adminPort}/debug/world`)).text()).includes(ONE),
      () => `${ONE} is never forgotten`,
    );
  });
});
