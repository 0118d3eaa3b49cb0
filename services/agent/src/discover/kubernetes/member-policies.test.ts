/** What is heard of a cluster's policy from an API server that fails as it is told to. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { json, ScriptedApiServer } from '../../../../../test/kit/scripted-api-server.ts';
import { ApiClient } from './api-client.ts';
import { MemberPolicySource } from './member-policies.ts';
import { REFLECTOR_TIMES } from './reflector.ts';

const PATH = '/apis/networking.istio.io/v1/virtualservices';
const times = { ...REFLECTOR_TIMES, backoff: { baseMs: 5, maxMs: 50 }, absentMs: 50 };
const WAIT = { timeout: 20_000 };
let server: ScriptedApiServer;
let api: ApiClient;
let source: MemberPolicySource;

beforeEach(async () => {
  server = new ScriptedApiServer();
  server.have(PATH);
  const access = { ca: undefined, clientCertificate: undefined, clientKey: undefined, serverName: undefined, insecure: false };
  api = new ApiClient({ ...access, server: await server.start(), bearer: () => 't' });
  source = new MemberPolicySource({ api, times, onChange: () => undefined });
});
afterEach(async () => {
  await source.stop();
  api.close();
  await server.stop();
});

const put = (namespace: string, name: string, spec: object = { hosts: [name] }) =>
  server.put(PATH, `${namespace}/${name}`, { metadata: { name, namespace, generation: 1 }, spec });
const names = () => source.account().objects.map(({ namespace, name }) => `${namespace}/${name}`);
const kind = () => source.account().kinds.find((one) => one.kind === 'VirtualService');

it('asks for nothing while no mode asks for it', async () => {
  source.follow({ mode: 'Off', namespaces: { bookinfo: 'Off' } });
  expect([source.policies, server.asked, source.account().kinds]).toEqual([undefined, [], []]);
});

it('has what the namespaces hold that are asked for, each change, and what is asked for later', async () => {
  put('bookinfo', 'reviews');
  put('other', 'secret');
  source.follow({ namespaces: { bookinfo: 'ReadOnly' } });
  expect(kind()).toEqual({ kind: 'VirtualService', state: 'UNREAD' });
  await vi.waitFor(() => expect([kind()?.state, names()]).toEqual(['FOLLOWED', ['bookinfo/reviews']]), WAIT);
  await vi.waitFor(() => expect(source.account().kinds.find((one) => one.kind === 'Gateway')?.state).toBe('ABSENT'), WAIT);
  put('bookinfo', 'ratings');
  server.delete(PATH, 'bookinfo/reviews');
  await vi.waitFor(() => expect(names()).toEqual(['bookinfo/ratings']), WAIT);
  source.follow({ mode: 'Authoritative' });
  await vi.waitFor(() => expect(names()).toEqual(['bookinfo/ratings', 'other/secret']), WAIT);
});

it('keeps what it heard when the right to read is withdrawn, and says why', async () => {
  put('bookinfo', 'reviews');
  source.follow({ mode: 'ReadOnly' });
  await vi.waitFor(() => expect(names()).toEqual(['bookinfo/reviews']), WAIT);
  server.fault = (_url, response) => {
    json(response, 403, { kind: 'Status', code: 403, message: 'forbidden' });
    return true;
  };
  server.endWatches(PATH);
  await vi.waitFor(
    () => expect(kind()?.problem).toMatch(/forbidden; the role of the agent does not give it: set readPolicies of the chart/),
    WAIT,
  );
  expect([kind()?.state, names()]).toEqual(['FOLLOWED', ['bookinfo/reviews']]);
  server.fault = () => false;
  await vi.waitFor(() => expect(kind()?.problem).toBeUndefined(), WAIT);
  expect(names()).toEqual(['bookinfo/reviews']);
});
