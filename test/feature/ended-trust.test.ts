/** What becomes of connections that are open when the trust in their callers ends: narrowed, revoked, and by an emergency. Real processes, real Envoys. */
import type { Server, Socket } from 'node:net';
import { join } from 'node:path';
import { agentFolder } from '@hawser/agent/feed/membership.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type App, startApp } from '../datapath/kit/app.ts';
import { type Answer, call, stream } from '../datapath/kit/load.ts';
import { serviceFile } from '../kit/federation.ts';
import { HawserProcesses, type RunningCluster } from '../kit/hawser-processes.ts';
import { echoServer, type HeldCalls, heldEcho, holdCalls } from '../kit/held-calls.ts';
import { eventually } from '../kit/served.ts';

const [SERVER, WEST, EU] = ['127.87.9.11', '127.87.9.21', '127.87.9.31'] as const;
const HOST = 'reviews.bookinfo.svc.clusterset.local';
const DEADLINE_MS = 240_000;
const DB = `apiVersion: v1
kind: Service
metadata: {name: db, namespace: bookinfo}
spec: {ports: [{name: tcp, port: 9000, targetPort: 9090}]}
---
apiVersion: multicluster.x-k8s.io/v1beta1
kind: ServiceExport
metadata: {name: db, namespace: bookinfo}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: db-1, namespace: bookinfo, labels: {kubernetes.io/service-name: db}}
addressType: IPv4
ports: [{name: tcp, port: 9090}]
endpoints: [{addresses: [${SERVER}]}]
`;

describe('open connections, when the trust in their callers ends', { timeout: DEADLINE_MS }, () => {
  const hawser = new HawserProcesses();
  const held: HeldCalls[] = [];
  let app: App;
  let echo: Server;

  const ask = (via: string): Promise<Answer> => call({ via, host: HOST });
  const hold = async (cluster: string): Promise<HeldCalls | undefined> => {
    const identityDir = agentFolder(join(hawser.folder, '.hawser'), cluster);
    const calls = await holdCalls({ identityDir, trustDomain: `${cluster}.hawser`, address: SERVER, serverName: '80.reviews.bookinfo' });
    if (calls !== undefined) held.push(calls);
    return calls;
  };
  const believed = async (cluster: string): Promise<HeldCalls> => {
    let calls: HeldCalls | undefined;
    await eventually(async () => {
      calls = await hold(cluster);
      return calls !== undefined;
    }, `${cluster} is not believed by the server`);
    return calls as HeldCalls;
  };
  /** Where a sidecar takes the calls of the TCP service. */
  const database = async (proxy: string): Promise<number> => {
    const { stdout } = await hawser.run(['proxy-config', proxy, 'listeners', '-o', 'json']);
    const listener = stdout.slice(stdout.indexOf('outbound_tcp|9000|db.bookinfo.svc.clusterset.local'));
    return Number(/"portValue": *(\d+)/.exec(listener)?.[1] ?? 0);
  };
  const holdEcho = async (proxy: string, via: string): Promise<Socket> => {
    let socket: Socket | undefined;
    await eventually(async () => {
      const port = await database(proxy);
      if (port > 0) socket = await heldEcho(via, port);
      return socket !== undefined;
    }, `${proxy} does not reach the TCP service`);
    return socket as Socket;
  };
  beforeAll(async () => {
    app = await startApp('reviews', SERVER);
    echo = await echoServer(SERVER, 9090);
    await hawser.startHub();
    const flat = ['--network', 'flat'];
    const [east, west, eu] = await Promise.all([
      hawser.join('us-east', { 'reviews.yaml': serviceFile('reviews', [SERVER]), 'db.yaml': DB }, flat),
      hawser.join('us-west', {}, flat),
      hawser.join('eu-west', {}, flat),
    ]);
    const at = ({ xdsPort }: RunningCluster): readonly string[] => [`127.0.0.1:${xdsPort}`];
    await Promise.all([
      hawser.proxy('us-east', { serviceAccount: 'default', name: 'server', address: SERVER, agents: at(east) }),
      hawser.proxy('us-west', { serviceAccount: 'client', name: 'west', address: WEST, agents: at(west) }),
      hawser.proxy('eu-west', { serviceAccount: 'client', name: 'eu', address: EU, agents: at(eu) }),
    ]);
    for (const via of [WEST, EU]) await eventually(async () => (await ask(via)).status === 200, `${via} does not reach the server`);
  }, DEADLINE_MS);
  afterAll(async () => {
    for (const one of held) one.end();
    await hawser.stop();
    await app?.crash();
    echo?.close();
  }, DEADLINE_MS);

  it('narrowed: the pair that is left answers, the other is refused by its client and by the server, on old connections too', async () => {
    const [west, eu] = [await believed('us-west'), await believed('eu-west')];
    const domain = {
      apiVersion: 'hawser.dev/v1alpha1',
      kind: 'TrustDomain',
      metadata: { name: 'us-east.hawser' },
      spec: { federatesWith: ['eu-west.hawser'] },
    };
    const applied = await hawser.run(['apply', '-f', '-'], { input: JSON.stringify(domain) });
    expect(applied).toMatchObject({ status: 0, stderr: '' });
    await eventually(async () => (await west.ask()) === 403, 'an open connection is answered still');
    await eventually(async () => (await ask(WEST)).status === 503, 'the client calls a server that does not believe it');
    await eventually(async () => (await hold('us-west')) === undefined, 'the server believes what it should not');
    expect([await eu.ask(), (await ask(EU)).status]).toEqual([200, 200]);
    expect(west.hasEnded).toBe(false);
    expect((await hawser.run(['delete', 'trustdomain', 'us-east.hawser'])).status).toBe(0);
    await eventually(async () => (await west.ask()) === 200, 'who is believed again is not answered on its old connection');
    await eventually(async () => (await ask(WEST)).status === 200, 'who is believed again does not call');
    await believed('us-west');
  });

  it('revoked: its sidecar is answered no more, its TCP is cut; requests of others go on, and their connections', async () => {
    const [tcp, west, eu] = [await holdEcho('us-west/west', WEST), await believed('us-west'), await believed('eu-west')];
    await eventually(async () => (await ask(WEST)).status === 200, 'the client does not reach the server');
    const gets = stream({ via: EU, host: HOST }, 50);
    expect(await hawser.run(['cluster', 'revoke', 'us-west', '--yes', '--timeout', '30s'])).toMatchObject({ status: 0 });
    await eventually(async () => (await ask(WEST)).status !== 200, 'the revoked sidecar is answered still');
    // By the connection that was open: a new one is refused before anything is asked.
    await eventually(async () => (await west.ask()) === 403, 'an open connection is answered still');
    await eventually(() => tcp.destroyed || tcp.readyState !== 'open', 'the TCP of the revoked sidecar goes on');
    await eventually(async () => (await hold('us-west')) === undefined, 'the server believes who was revoked');
    const { sent, failures } = await gets.stop();
    expect([...failures]).toEqual([]);
    expect(sent).toBeGreaterThan(10);
    expect([await eu.ask(), eu.hasEnded]).toEqual([200, false]);
  });

  it('an emergency: connections that were made with what the old root signed end, and callers go on with what the new one signs', async () => {
    const stolen = await believed('eu-west');
    expect(await hawser.run(['trust', 'rotate', 'eu-west', '--emergency', '--yes'])).toMatchObject({ status: 0 });
    await eventually(async () => (await stolen.ask()) === 0, 'a connection by the stolen root is answered still');
    await believed('eu-west');
    await eventually(async () => (await ask(EU)).status === 200, 'the client does not reach the server with its new certificate');
  });
});
