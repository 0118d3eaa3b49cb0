/** A federation without a hub: real NATS, agents in this process, and a key that plays the hub's. */
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningAgent, startAgent } from '@hawser/agent/agent.ts';
import { loadAgentConfig } from '@hawser/agent/config.ts';
import { agentFolder, type Member } from '@hawser/agent/feed/membership.ts';
import { DocumentPublisher } from '@hawser/bus/document-publisher.ts';
import { clusterUserJwt, createUserKey } from '@hawser/bus/nats-accounts.ts';
import { ensureStreams } from '@hawser/bus/streams.ts';
import { type RosterMember, trustDomainOf } from '@hawser/model/fleet.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { privateFolder } from '@hawser/runtime/durable-file.ts';
import { HUB } from '@hawser/wire/envelope.ts';
import { generateSigner, type Signer } from '@hawser/wire/signing.ts';
import { CONFIG_PREFIX, CONFIG_STREAM, policyKey, ROSTER_KEY } from '@hawser/wire/subjects.ts';
import pino from 'pino';
import { startNats, type TestNats } from './nats.ts';

/** How an agent of a test is started. */
export interface StartOptions {
  readonly checkMs?: number;
  readonly now?: () => number;
  readonly heartbeatMs?: number;
  /** Another agent of the same cluster. */
  readonly replica?: string;
  /** Where it finds NATS, such as behind a proxy; default: directly. */
  readonly natsUrl?: string;
  /** Where proxies find it, such as where they found the one before; a free port unless given. */
  readonly xdsPort?: number;
  /** Up to how many upstreams a proxy is sent them all; the agent's default unless given. */
  readonly sendAllUpTo?: number;
  /** Its objects are those of this API server, in place of the registry directory's. */
  readonly kubeconfig?: string;
  /** Whether its gateways speak for workloads without a sidecar. */
  readonly gatewayMode?: boolean;
  /** Whether imports have EndpointSlices. */
  readonly importEndpointSlices?: boolean;
}

/** One cluster of it. */
export interface TestCluster {
  readonly name: string;
  readonly member: Member;
  readonly registryDir: string;
  /** Replaces a registry file, by rename. */
  put(file: string, text: string): void;
  /**
   * Starts its agent on free ports; `checkMs` 0 leaves health checks out, `now` is the clock of its brake. `replica` names another
   * agent of the same cluster: it shares the identity and has a state of its own.
   */
  start(options?: StartOptions): Promise<RunningAgent>;
}

/** What tests do with it. */
export interface TestFederation {
  readonly nats: TestNats;
  readonly folder: string;
  /** The hub's key. */
  readonly hub: Signer;
  cluster(name: string): TestCluster;
  /** Publishes roster and policies, which from now on are these, to a cluster at a revision, as the hub does. */
  configure(cluster: string, revision: number, policies?: readonly Resource[]): Promise<void>;
  /** The hub reads what it has on the stream, and publishes what is missing or differs. */
  republish(): Promise<void>;
  /** Makes the streams again, as the hub does when they are gone. */
  keepStreams(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts NATS and enrols clusters, each in a region of its own name, and in a network of it unless `networks` names another. Agents are started by the test. */
export async function startFederation(names: readonly string[], networks: Readonly<Record<string, string>> = {}): Promise<TestFederation> {
  const log = pino({ level: process.env['HAWSER_TEST_LOG'] ?? 'silent' });
  const folder = mkdtempSync(join(tmpdir(), 'hawser-federation-'));
  const nats = await startNats(log);
  const hubBus = await nats.hubBus();
  await ensureStreams(hubBus, log);
  const hub = generateSigner();
  const agents: RunningAgent[] = [];
  const clusters = new Map<string, TestCluster>();
  const members: RosterMember[] = [];
  for (const name of names) {
    const signer = generateSigner();
    const user = createUserKey();
    const expiresAt = new Date(Date.now() + 3_600_000);
    const natsJwt = await clusterUserJwt(nats.operator, { cluster: name, userPublicKey: user.publicKey, expiresAt });
    const place = { region: name, zone: '', trustDomain: trustDomainOf(name) };
    members.push({ name, epoch: 1, signingKey: signer.publicKey, provider: '', network: networks[name] ?? name, labels: {}, ...place });
    const membership = {
      ...{ cluster: name, epoch: 1, hubKey: hub.publicKey, natsUrls: [nats.url], natsJwt, natsJwtExpiresAt: expiresAt.toISOString() },
      ...place,
    };
    const agentDir = privateFolder(agentFolder(folder, name));
    const registryDir = join(folder, 'registry', name);
    mkdirSync(registryDir, { recursive: true });
    const member = { agentDir, identityDir: agentDir, hubUrl: 'http://127.0.0.1:1', membership, signer, natsSeed: user.seed };
    clusters.set(name, {
      ...{ name, member, registryDir },
      put: (file, text) => {
        writeFileSync(join(registryDir, `.${file}`), text);
        renameSync(join(registryDir, `.${file}`), join(registryDir, file));
      },
      start: async ({
        checkMs = 0,
        replica,
        natsUrl = nats.url,
        xdsPort = 0,
        sendAllUpTo,
        kubeconfig,
        gatewayMode,
        importEndpointSlices,
        ...options
      } = {}) => {
        const agentDir = replica === undefined ? member.agentDir : privateFolder(agentFolder(join(folder, replica), name));
        const own = { ...member, agentDir, membership: { ...membership, natsUrls: [natsUrl] } };
        const source = kubeconfig === undefined ? { registryDir } : { kubernetes: true, kubeconfig };
        const flags = { ...source, stateDir: folder, xdsPort: String(xdsPort), adminPort: '0', gateway: '127.79.0.1:15443' };
        const bound = { ...(sendAllUpTo === undefined ? {} : { sendAllUpTo: String(sendAllUpTo) }), gatewayMode, importEndpointSlices };
        const agent = await startAgent({ config: loadAgentConfig({ ...flags, ...bound }, {}), member: own, log, checkMs, ...options });
        agents.push(agent);
        return agent;
      },
    });
  }
  const publishers = new Map(
    names.map((to) => {
      const publisher = new DocumentPublisher({
        ...{ bus: hubBus, stream: CONFIG_STREAM, prefix: `${CONFIG_PREFIX}.${to}`, from: HUB, to, signer: hub, epoch: 1, log },
        revisions: (above) => above + 1,
      });
      return [to, publisher.start()] as const;
    }),
  );
  return {
    ...{ nats, folder, hub },
    cluster: (name) => {
      const found = clusters.get(name);
      if (found === undefined) throw new Error(`no cluster ${name}`);
      return found;
    },
    configure: async (to, revision, policies = []) => {
      const publisher = publishers.get(to);
      if (publisher === undefined) throw new Error(`no cluster ${to}`);
      // Nothing of one revision may wait for another: its digest would go out between them.
      await publisher.loaded;
      publisher.put(ROSTER_KEY, { members }, revision);
      const wanted = new Map(policies.map((policy) => [keyOf(policy), policy]));
      for (const key of publisher.keys()) if (key !== ROSTER_KEY && !wanted.has(key)) publisher.remove(key, revision);
      for (const [key, policy] of wanted) publisher.put(key, policy, revision);
      publisher.advance(revision);
      publisher.complete();
      await publisher.drained();
    },
    republish: async () => {
      for (const publisher of publishers.values()) publisher.republishAll();
      await Promise.all([...publishers.values()].map((publisher) => publisher.drained()));
    },
    keepStreams: async () => {
      await hubBus.ready();
      await ensureStreams(hubBus, log);
    },
    stop: async () => {
      await Promise.all(agents.map((agent) => agent.stop()));
      await Promise.all([...publishers.values()].map((publisher) => publisher.stop()));
      await nats.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function keyOf(policy: Resource): string {
  const { namespace = '', name } = policy.metadata;
  return policyKey(`${policy.kind.toLowerCase()}s`, namespace, name);
}

/** A registry file of one exported service with endpoints at these addresses. */
export function serviceFile(service: string, addresses: readonly string[], namespace = 'bookinfo'): string {
  const meta = (name: string, labels = ''): string => `metadata: {name: ${name}, namespace: ${namespace}${labels}}`;
  return [
    `apiVersion: v1\nkind: Service\n${meta(service)}\nspec: {ports: [{name: http, port: 80, targetPort: 9080}]}\n`,
    `apiVersion: multicluster.x-k8s.io/v1beta1\nkind: ServiceExport\n${meta(service)}\n`,
    `apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n${meta(`${service}-1`, `, labels: {kubernetes.io/service-name: ${service}}`)}\naddressType: IPv4\nports: [{name: http, port: 9080}]\nendpoints: [${addresses.map((address) => `{addresses: [${address}]}`).join(', ')}]\n`,
  ].join('---\n');
}
