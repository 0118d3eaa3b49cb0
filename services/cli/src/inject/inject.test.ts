import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { environmentOf, type Outcome, runHere } from '../command-fixture.ts';

const folder = mkdtempSync(join(tmpdir(), 'hawser-inject-'));
const ca = join(folder, 'ca.pem');
writeFileSync(ca, '-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n');
afterAll(() => rmSync(folder, { recursive: true }));

const SETTINGS = ['--image', 'proxy:1', '--agent', 'hawser-agent.hawser-system.svc:15010'];

function inject(input: string, settings: readonly string[] = SETTINGS): Promise<Outcome> {
  return runHere(['kube-inject', '-f', '-', '--cluster', 'us-east', '--agent-ca', ca, ...settings], { env: environmentOf(folder), input });
}

const template = '{spec: {containers: [{name: web, image: "web:1"}]}}';

describe('hawser kube-inject', () => {
  it.each([
    ['Pod', '{containers: [{name: web}]}', ['spec']],
    ['Deployment', `{template: ${template}}`, ['spec', 'template', 'spec']],
    ['StatefulSet', `{template: ${template}}`, ['spec', 'template', 'spec']],
    ['DaemonSet', `{template: ${template}}`, ['spec', 'template', 'spec']],
    ['Job', `{template: ${template}}`, ['spec', 'template', 'spec']],
    ['CronJob', `{jobTemplate: {spec: {template: ${template}}}}`, ['spec', 'jobTemplate', 'spec', 'template', 'spec']],
  ])('a %s has its sidecar where its Pods are described', async (kind, spec, path) => {
    const { status, stdout, stderr } = await inject(`{kind: ${kind}, metadata: {name: web, namespace: shop}, spec: ${spec}}`);
    const [document] = parseAllDocuments(stdout);
    const found = document?.toJS() as Record<string, unknown>;
    const pod = path.reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], found) as { initContainers: { name: string }[] };
    expect(pod.initContainers.map(({ name }) => name)).toEqual(['hawser-capture', 'hawser-proxy']);
    expect([status, stderr.trim()]).toEqual([0, `${kind} shop/web: has a sidecar now`]);
  });

  it('everything else of several documents and lists stays, and twice is once', async () => {
    const text = `# a comment
apiVersion: v1
kind: List
items:
- {kind: Service, metadata: {name: web}, spec: {clusterIP: "None", ports: [{port: 80}]}}
- {kind: Pod, metadata: {name: a, annotations: {note: "yes", day: 2026-01-02}}, spec: {containers: [{name: a}], volumes: [{name: v, configMap: {defaultMode: 0644}}]}}
---
---
kind: ConfigMap
data:
  number: "012"
  long: "${'x'.repeat(200)}"
  empty: ""
  text: |
    two
    lines
---
{kind: Pod, metadata: {name: host}, spec: {hostNetwork: true, containers: [{name: a}]}}
`;
    const once = await inject(text);
    expect(once.stderr.trim().split('\n')).toEqual(['Pod a: has a sidecar now', expect.stringMatching(/^Pod host: left out: hostNetwork/)]);
    const documents = parseAllDocuments(once.stdout, { version: '1.1' }).map((document) => document.toJS() as never);
    expect(documents).toMatchObject([
      {
        kind: 'List',
        items: [
          { spec: { clusterIP: 'None', ports: [{ port: 80 }] } },
          {
            metadata: { annotations: { note: 'yes', day: '2026-01-02' } },
            spec: { volumes: [{ configMap: { defaultMode: 420 } }, {}, {}, {}] },
          },
        ],
      },
      { data: { number: '012', long: 'x'.repeat(200), empty: '', text: 'two\nlines\n' } },
      { spec: { hostNetwork: true } },
    ]);
    const twice = await inject(once.stdout);
    expect(twice.stdout).toBe(once.stdout);
    expect(twice.stderr).toContain('Pod a: has its sidecar already');
  });

  it.each([
    ['what is no YAML', 'kind: [Pod', SETTINGS, /<stdin>: not valid YAML/],
    ['no image', 'kind: Pod', ['--agent', 'a:1'], /required properties image/],
    ['an agent without a port', 'kind: Pod', ['--image', 'a', '--agent', 'a'], /agent: /],
    ['a file that is not there', 'kind: Pod', ['--settings', '/nowhere'], /--settings: .*nowhere/],
  ])('%s is refused, and nothing is printed', async (_what, text, settings, message) => {
    const { status, stdout, stderr } = await inject(text, settings);
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(message);
  });
});
