/** What the hub hears of a cluster's own policy, over a real NATS: from whom, when, and by whose signature. */
import type { Bus } from '@hawser/bus/bus.ts';
import type { MemberPolicies } from '@hawser/model/policy-mode.ts';
import { open } from '@hawser/wire/envelope.ts';
import type { FoundPolicies } from '@hawser/wire/found-policies.ts';
import { generateSigner, verifierOf } from '@hawser/wire/signing.ts';
import { foundPoliciesSubject } from '@hawser/wire/subjects.ts';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { startNats, type TestNats } from '../../../../test/kit/nats.ts';
import { ScriptedApiServer } from '../../../../test/kit/scripted-api-server.ts';
import { ApiClient } from '../discover/kubernetes/api-client.ts';
import { MemberPolicySource } from '../discover/kubernetes/member-policies.ts';
import { tellPolicies } from './policy-teller.ts';

const PATH = '/apis/networking.istio.io/v1/virtualservices';
const WAIT = { timeout: 20_000 };
const signer = generateSigner();
let nats: TestNats;
let bus: Bus;
let heard: FoundPolicies[];
let server: ScriptedApiServer;
let api: ApiClient;
let stop: () => Promise<void>;
const feed = { term: 0 };
let setting: MemberPolicies | undefined;
const warnings: (readonly string[])[] = [];

beforeAll(async () => {
  nats = await startNats();
  bus = await nats.clusterBus('us-east');
  const hub = await nats.hubBus();
  hub.subscribe('hawser.status.>', ({ subject, bytes }) => {
    expect(subject).toBe(foundPoliciesSubject('us-east', 'abcabcabcabc'));
    const document = open(bytes, () => verifierOf(signer.publicKey));
    if (typeof document === 'string') throw new Error(document);
    expect([document.from, document.to, document.key]).toEqual(['us-east', 'hub', 'policies']);
    heard.push(document.body as FoundPolicies);
  });
});
afterAll(() => nats.stop());

beforeEach(async () => {
  [heard, feed.term, setting] = [[], 0, undefined];
  warnings.length = 0;
  server = new ScriptedApiServer();
  server.have(PATH);
  const access = { ca: undefined, clientCertificate: undefined, clientKey: undefined, serverName: undefined, insecure: false };
  api = new ApiClient({ ...access, server: await server.start(), bearer: () => 't' });
  let revision = 0;
  stop = tellPolicies({
    ...{ bus, member: { signer, membership: { cluster: 'us-east', epoch: 1 } }, feed, heartbeatMs: 300 },
    base: {
      replica: 'abcabcabcabc',
      openPolicies: (onChange) => new MemberPolicySource({ api, onChange }),
      revisions: { next: () => (revision += 1) },
    },
    federation: { member: () => (setting === undefined ? {} : { policies: setting }) },
    warnings: { standing: (_place, messages) => warnings.push(messages) },
  });
});
afterEach(async () => {
  await stop();
  api.close();
  await server.stop();
});

const put = (name: string, spec: object = { hosts: [name] }) =>
  server.put(PATH, `bookinfo/${name}`, { metadata: { name, namespace: 'bookinfo', generation: 1 }, spec });
const names = () => heard.at(-1)?.objects.map(({ name }) => name);

it('a replica that publishes tells whole accounts, again and again; one that has lost the lease neither reads nor tells', async () => {
  put('reviews');
  setting = { namespaces: { bookinfo: 'Authoritative' } };
  feed.term = 3;
  await vi.waitFor(() => expect(names()).toEqual(['reviews']), WAIT);
  expect(heard.at(-1)).toMatchObject({ term: 3, policies: setting, omittedMore: 0 });
  put('ratings');
  await vi.waitFor(() => expect(names()).toEqual(['ratings', 'reviews']), WAIT);
  // One that was lost is made up for, though nothing changes.
  const before = heard.length;
  await vi.waitFor(() => expect(heard.length).toBeGreaterThan(before + 1), WAIT);
  feed.term = 0;
  await vi.waitFor(() => expect(server.watches(PATH)).toBe(0), WAIT);
  const last = heard.length;
  put('details');
  feed.term = 4;
  await vi.waitFor(() => expect(names()).toEqual(['details', 'ratings', 'reviews']), WAIT);
  expect(heard.slice(last).every(({ term }) => term === 4)).toBe(true);
});

it('says what is left out, to the operator too, until it is switched off', async () => {
  put('large', { hosts: ['x'.repeat(70_000)] });
  [feed.term, setting] = [1, { mode: 'ReadOnly' }];
  await vi.waitFor(() => expect(heard.at(-1)?.omitted.map(({ name }) => name)).toEqual(['large']), WAIT);
  expect(warnings.at(-1)).toEqual([expect.stringMatching(/^VirtualService bookinfo\/large: it is 69 KiB/)]);
  setting = undefined;
  await vi.waitFor(() => expect(warnings.at(-1)).toEqual([]), WAIT);
});
