import { request } from 'node:https';
import { injectionSettings } from '@hawser/model/injection/injection-settings.ts';
import { issuedCertificate, type LiveCertificate } from '@hawser/runtime/live-certificate.ts';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { forge, forgeRoot } from '../../../../test/kit/forge.ts';
import { ApiRefusal } from '../discover/kubernetes/api-client.ts';
import { answerReview } from './admission.ts';
import { caBundlePatch, type WebhookConfiguration } from './ca-bundle.ts';
import { followRestartHints, hintsOf, type ListedPod, restartHints } from './restart-hints.ts';
import { startWebhookServer, type WebhookServer } from './webhook-server.ts';

const FILE = { image: 'proxy:1', agent: 'hawser-agent.hawser-system.svc:15010', ignoredNamespaces: ['hawser-system'] };
const SETTINGS = injectionSettings(FILE, { cluster: 'us-east', agentCa: 'PEM', door: 'abc' });
const POD = { metadata: { name: 'web' }, spec: { containers: [{ name: 'web' }] } };

function review(of: object): object {
  const kind = { group: '', version: 'v1', kind: 'Pod' };
  return {
    ...{ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview' },
    request: { uid: 'u-1', kind, namespace: 'shop', operation: 'CREATE', object: POD, ...of },
  };
}

describe('answerReview', () => {
  it('answers a new Pod by a patch', () => {
    const answer = answerReview(review({}), SETTINGS);
    const { response } = (answer?.review ?? {}) as { response: { patch: string } };
    expect([answer?.outcome, response]).toMatchObject(['injected', { uid: 'u-1', allowed: true, patchType: 'JSONPatch' }]);
    const steps = JSON.parse(Buffer.from(response.patch, 'base64').toString()) as { op: string; path: string }[];
    expect(steps.map(({ op, path }) => `${op} ${path}`)).toEqual([
      'add /metadata/labels',
      'add /metadata/annotations',
      'add /spec/initContainers',
      'add /spec/volumes',
    ]);
  });

  it.each([
    ['an opt-out', { object: { ...POD, metadata: { labels: { 'hawser.dev/inject': 'false' } } } }, undefined],
    ["the agent's namespace", { namespace: 'hawser-system' }, undefined],
    ['the network of the node', { object: { spec: { ...POD.spec, hostNetwork: true } } }, /hostNetwork/],
    ['an annotation that is wrong', { object: { ...POD, metadata: { annotations: { 'hawser.dev/proxy-cpu': 'x' } } } }, /proxy-cpu/],
    ['another kind', { kind: { group: 'apps', version: 'v1', kind: 'Deployment' } }, /Deployment/],
    ['another operation', { operation: 'UPDATE' }, /UPDATE of Pod/],
    ['no object', { object: null }, /no sidecar was added/],
    ['a Pod that is none', { object: { spec: { containers: 'many' } } }, /spec\.containers/],
  ])('allows %s without a patch', (_name, of, warning) => {
    const answer = answerReview(review(of), SETTINGS);
    const { response } = (answer?.review ?? {}) as { response: { allowed: boolean; patch?: string; warnings?: string[] } };
    expect([answer?.outcome, response.allowed, response.patch]).toEqual(['skipped', true, undefined]);
    if (warning === undefined) expect(response.warnings).toBeUndefined();
    else expect(response.warnings).toEqual([expect.stringMatching(warning)]);
  });

  it.each([[null], [{}], [{ ...review({}), apiVersion: 'admission.k8s.io/v1beta1' }], [review({ uid: '' })]])(
    '%j is no review',
    (content) => {
      expect(answerReview(content, SETTINGS)).toBeUndefined();
    },
  );
});

describe('the door', () => {
  let server: WebhookServer;
  let certificate: LiveCertificate;
  let ca = '';
  const outcomes: string[] = [];
  beforeAll(async () => {
    const root = await forgeRoot('root');
    const { certificate: cert, key } = await forge(root, { names: [{ type: 'dns', value: 'localhost' }], until: 1 });
    ca = root.certificate.toString('pem');
    certificate = await issuedCertificate(() => Promise.resolve({ cert, key }), pino({ level: 'silent' }));
    server = await startWebhookServer({
      ...{ address: '127.0.0.1', port: 0, certificate },
      answer: (content) => answerReview(content, SETTINGS),
      onOutcome: (outcome) => outcomes.push(outcome),
    });
  });
  afterAll(async () => {
    await server.stop();
    certificate.stop();
  });

  const ask = (body: string, { path = '/inject', method = 'POST' } = {}): Promise<number> =>
    new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', servername: 'localhost', port: server.port, path, method, ca };
      const asked = request(options, (answer) => {
        answer.resume();
        resolve(answer.statusCode ?? 0);
      });
      asked.on('error', reject);
      asked.end(body);
    });

  it.each([
    ['a review', JSON.stringify(review({})), {}, 200, 'injected'],
    ['no JSON', '{', {}, 400, 'refused'],
    ['no review', '{}', {}, 400, 'refused'],
    ['more than 4 MiB', ' '.repeat(4 * 1024 * 1024 + 1), {}, 413, 'refused'],
    ['another path', '{}', { path: '/' }, 404, 'refused'],
    ['another method', '', { method: 'GET' }, 405, 'refused'],
  ])('answers %s', async (_name, body, at, code, outcome) => {
    outcomes.length = 0;
    expect([await ask(body, at), outcomes]).toEqual([code, [outcome]]);
  });
});

describe('caBundlePatch', () => {
  const service = { clientConfig: { service: { name: 'hawser-injection', namespace: 'hawser-system' } } };
  const foreign = { clientConfig: { url: 'https://elsewhere.example/inject', caBundle: 'theirs' } };
  const names = ['hawser-injection.hawser-system.svc'];
  const configuration = (webhooks: WebhookConfiguration['webhooks']): WebhookConfiguration => ({
    metadata: { resourceVersion: '7' },
    ...(webhooks === undefined ? {} : { webhooks }),
  });

  it("fills the agent's own entries, against the version that it saw", () => {
    expect(caBundlePatch(configuration([service, foreign]), names, 'ours')).toEqual({
      metadata: { resourceVersion: '7' },
      webhooks: [{ clientConfig: { ...service.clientConfig, caBundle: 'ours' } }, foreign],
    });
  });

  it('knows an entry by the host of its URL', () => {
    const byUrl = { clientConfig: { url: 'https://agent.example:15017/inject' } };
    expect(caBundlePatch(configuration([byUrl]), ['agent.example'], 'ours')).toBeDefined();
  });

  it('changes nothing where it stands already', () => {
    const filled = { clientConfig: { ...service.clientConfig, caBundle: 'ours' } };
    expect(caBundlePatch(configuration([filled, foreign]), names, 'ours')).toBeUndefined();
  });

  it.each([[[foreign]], [[]], [undefined]])('says so when none is its own: %j', (webhooks) => {
    expect(() => caBundlePatch(configuration(webhooks), names, 'ours')).toThrow('none of its webhooks leads to hawser-injection');
  });
});

describe('hintsOf', () => {
  const pod = (name: string, labels: Record<string, string> = {}, rest: Partial<ListedPod['metadata']> = {}): ListedPod => ({
    ...{ metadata: { name, labels, ...rest }, spec: POD.spec },
  });
  const hints = (pods: readonly ListedPod[], isAll = true): string[] => hintsOf('shop', pods, { settings: SETTINGS, isAll });

  it('names Pods without a sidecar and with another one, and how to restart them', () => {
    const old = { 'hawser.dev/sidecar': 'default.0' };
    expect(hints([pod('b'), pod('a'), pod('c'), pod('d'), pod('old', old)])).toEqual([
      expect.stringMatching(/^namespace shop: 4 Pods without a sidecar \(a, b, c, …\): kubectl -n shop rollout restart/),
      expect.stringMatching(/^namespace shop: 1 Pod with a sidecar of other settings \(old\): /),
    ]);
    expect(hints([pod('a')], false)[0]).toContain('at least 1 Pod without');
  });

  it('says how many namespaces were not looked at', async () => {
    const items = Array.from({ length: 502 }, (_, index) => ({ metadata: { name: `n${index}` } }));
    const api = { json: async ({ path }: { path: string }) => ({ metadata: {}, items: path === '/api/v1/namespaces' ? items : [] }) };
    const found = await restartHints({ api, settings: SETTINGS, mark: () => 'default.1', signal: new AbortController().signal });
    expect(found).toEqual([expect.stringMatching(/^2 namespaces beyond the first 500 by name: it is not known/)]);
  });

  it('says that it may not look, and keeps what it said when the API server is away', async () => {
    const failures = [new Error('away'), new ApiRefusal(403, 'pods is forbidden: cannot list resource "pods"')];
    const api = { json: () => Promise.reject(failures.shift() ?? new Error('away')) };
    const over = new AbortController();
    const said: (readonly string[])[] = [];
    const following = followRestartHints({
      ...{ api, settings: SETTINGS, mark: () => 'default.1', signal: over.signal, everyMs: 1 },
      onHints: (hints) => {
        said.push(hints);
        over.abort();
      },
    });
    await following;
    expect(said).toEqual([[expect.stringMatching(/cannot list resource "pods"; .*upgrade the chart .*injection\.yaml$/)]]);
  });

  it('says nothing of those that want none, or are about to end', () => {
    const host = { ...pod('host'), spec: { ...POD.spec, hostNetwork: true } };
    const windows = { ...pod('windows'), spec: { ...POD.spec, nodeSelector: { 'kubernetes.io/os': 'windows' } } };
    const user = { ...pod('user'), spec: { ...POD.spec, securityContext: { runAsUser: SETTINGS.proxyUser } } };
    const out = pod('out', {}, { annotations: { 'hawser.dev/inject': 'false' } });
    const ending = pod('ending', {}, { deletionTimestamp: '2026-01-01T00:00:00Z' });
    expect(hints([host, windows, user, out, ending, pod('canary', { 'hawser.dev/rev': 'canary' })])).toEqual([]);
  });
});
