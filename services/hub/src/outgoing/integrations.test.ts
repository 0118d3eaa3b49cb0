import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadIntegrations } from './integrations.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hawser-integrations-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function load(text: string) {
  const file = join(folder, 'integrations.yaml');
  await writeFile(file, text);
  return loadIntegrations(file);
}

test('names servers; files are beside it', async () => {
  const { prometheus, webhooks } = await load(`
prometheus: [{name: default, url: 'http://127.0.0.1:9090/prom', bearerTokenFile: token}]
webhooks: [{name: chat, url: 'https://chat.example/hooks?key=1', secretFile: /run/secret, kinds: [Drain], phases: [Failed]}]
`);
  expect(prometheus.get('default')).toEqual({ name: 'default', url: 'http://127.0.0.1:9090/prom', bearerTokenFile: join(folder, 'token') });
  expect(webhooks).toEqual([
    { name: 'chat', url: 'https://chat.example/hooks?key=1', secretFile: '/run/secret', kinds: ['Drain'], phases: ['Failed'] },
  ]);
  expect(await loadIntegrations(undefined)).toEqual({ prometheus: new Map(), webhooks: [] });
});

test.each<[string, RegExp]>([
  ['prometheus: [{name: a, url: "http://10.0.0.1:9090"}]', /plain text/],
  ['prometheus: [{name: a, url: "https://user:word@p.example"}]', /\/prometheus\/0\/url/],
  ['prometheus: [{name: a, url: "https://a.example"}, {name: a, url: "https://b.example"}]', /has a twice/],
  ['webhooks: [{name: a, url: "https://a.example", secretFile: x, secretEnv: Y}]', /secretFile and secretEnv/],
  ['webhooks: [{name: a, url: "ftp://a.example"}]', /\/webhooks\/0\/url/],
  ['webhoks: []', /\/webhoks is not a field here/],
  ['a: [', /--integrations/],
])('%s is refused', async (text, problem) => {
  await expect(load(text)).rejects.toThrow(problem);
});

test('a file that is not there is named', async () => {
  await expect(loadIntegrations(join(folder, 'nothing.yaml'))).rejects.toThrow(/nothing\.yaml.*ENOENT/);
});
