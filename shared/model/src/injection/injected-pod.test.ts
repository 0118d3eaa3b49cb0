import { describe, expect, it } from 'vitest';
import { injectedPod } from './injected-pod.ts';
import { INJECTED_ANNOTATION, SIDECAR_LABEL } from './injection-names.ts';
import { type InjectionSettings, injectionSettings, readInjectionFile, sidecarMark } from './injection-settings.ts';
import { podPatch } from './pod-patch.ts';
import type { PodTemplate } from './pod-template.ts';

const FILE = { image: 'registry.example/hawser-proxy:1', agent: 'hawser-agent.hawser-system.svc:15010' };
const SETTINGS = injectionSettings(FILE, { cluster: 'us-east', agentCa: 'PEM', door: 'abc' });
const POD = {
  metadata: { generateName: 'web-', labels: { app: 'web' }, annotations: { note: 'kept' } },
  spec: {
    serviceAccountName: 'web',
    containers: [{ name: 'web', image: 'web:1', ports: [{ containerPort: 8080 }] }],
    initContainers: [{ name: 'migrate', image: 'migrate:1' }],
    volumes: [{ name: 'cache', emptyDir: {} }],
    restartPolicy: 'Never',
  },
};

function injected(pod: unknown, settings: InjectionSettings = SETTINGS): PodTemplate & { spec: Record<string, unknown> } {
  const result = injectedPod(pod, settings, 'shop');
  if (result.kind !== 'injected') throw new Error(JSON.stringify(result));
  return result.pod as never;
}

describe('injectedPod', () => {
  it('is the golden one', async () => {
    await expect(`${JSON.stringify(injected(POD), null, 2)}\n`).toMatchFileSnapshot('testdata/injected-pod.json');
  });

  it('adds before what is there, and changes nothing of it', () => {
    const { spec, metadata } = injected(POD);
    expect(spec.initContainers?.map(({ name }) => name)).toEqual(['hawser-capture', 'hawser-proxy', 'migrate']);
    expect([spec.containers, spec['restartPolicy'], spec['serviceAccountName']]).toEqual([POD.spec.containers, 'Never', 'web']);
    expect(spec.volumes?.map(({ name }) => name)).toEqual(['cache', 'hawser-token', 'hawser-pod', 'hawser-state']);
    expect(metadata?.labels).toEqual({ app: 'web', [SIDECAR_LABEL]: sidecarMark(SETTINGS) });
    expect(metadata?.annotations?.['note']).toBe('kept');
  });

  it('injecting twice is injecting once', () => {
    expect(injectedPod(injected(POD), SETTINGS)).toEqual({ kind: 'unchanged' });
  });

  it('what other settings added is replaced, whole', () => {
    const newer = { ...SETTINGS, image: 'registry.example/hawser-proxy:2', capture: false };
    expect(injected(injected(POD), newer)).toEqual(injected(POD, newer));
    expect(sidecarMark(newer)).not.toBe(sidecarMark(SETTINGS));
  });

  it('a root that joins the bundle makes no Pod outdated; another signer of the door does', () => {
    expect(sidecarMark({ ...SETTINGS, agentCa: 'PEM PEM' })).toBe(sidecarMark(SETTINGS));
    expect(sidecarMark({ ...SETTINGS, door: 'def' })).not.toBe(sidecarMark(SETTINGS));
  });

  it.each([
    ['a Pod with nothing but containers', { spec: { containers: [{ name: 'a' }] } }],
    ['nulls where Go writes them', { metadata: null, spec: { containers: [{ name: 'a' }], initContainers: null, volumes: null } }],
    [
      'its own word',
      { metadata: { labels: { 'hawser.dev/inject': 'true' }, annotations: { 'hawser.dev/inject': 'enabled' } }, spec: POD.spec },
    ],
    ['of this revision', { metadata: { labels: { 'hawser.dev/rev': 'default' } }, spec: POD.spec }],
  ])('takes %s', (_name, pod) => {
    expect(injected(pod).spec.initContainers?.[1]?.name).toBe('hawser-proxy');
  });

  it.each([
    ['a label', { metadata: { labels: { 'hawser.dev/inject': 'false' } } }, true, /"false"/],
    ['an annotation', { metadata: { annotations: { 'hawser.dev/inject': 'false' } } }, true, /"false"/],
    ['the word of Namespaces', { metadata: { labels: { 'hawser.dev/inject': 'disabled' } } }, true, /"false"/],
    [
      'a word that is none',
      { metadata: { labels: { 'hawser.dev/inject': 'no' } } },
      false,
      /hawser\.dev\/inject: "no" is neither "true" nor "false"/,
    ],
    ['a file of its own', { metadata: { annotations: { 'kubernetes.io/config.mirror': 'a1b2' } } }, true, /file on its node/],
    ['another revision', { metadata: { labels: { 'hawser.dev/rev': 'canary' } } }, true, /revision canary/],
    ['a namespace of Kubernetes', { metadata: { namespace: 'kube-system' } }, true, /kube-system/],
    ['the network of the node', { spec: { ...POD.spec, hostNetwork: true } }, false, /hostNetwork/],
    ['Windows', { spec: { ...POD.spec, os: { name: 'windows' } } }, false, /windows/],
    ['nodes of Windows', { spec: { ...POD.spec, nodeSelector: { 'kubernetes.io/os': 'windows' } } }, false, /windows/],
    [
      'the sidecar of another mesh',
      { spec: { containers: [{ name: 'web' }, { name: 'istio-proxy' }] } },
      false,
      /istio-proxy is of another mesh/,
    ],
    ["the sidecar's user", { spec: { ...POD.spec, securityContext: { runAsUser: 1337 } } }, false, /runAsUser 1337/],
    ["the sidecar's user in a container", { spec: { containers: [{ name: 'a', securityContext: { runAsUser: 1337 } }] } }, false, /1337/],
    ['a container of that name', { spec: { containers: [{ name: 'hawser-proxy' }] } }, false, /container hawser-proxy/],
    ['a volume of that name', { spec: { ...POD.spec, volumes: [{ name: 'hawser-token' }] } }, false, /volume hawser-token/],
    [
      'a bad port',
      { metadata: { annotations: { 'hawser.dev/exclude-inbound-ports': '80,x' } } },
      false,
      /exclude-inbound-ports: "80,x" is no list/,
    ],
    ['a bad quantity', { metadata: { annotations: { 'hawser.dev/proxy-cpu': 'much' } } }, false, /proxy-cpu: "much" is no quantity/],
    ['a bad switch', { metadata: { annotations: { 'hawser.dev/capture': 'no' } } }, false, /capture: "no" is neither/],
    ['no containers', { spec: {} }, false, /spec: must have required properties containers/],
  ])('leaves out what has %s', (_name, pod, asked, reason) => {
    expect(injectedPod({ ...POD, ...pod }, SETTINGS)).toEqual({ kind: 'skipped', reason: expect.stringMatching(reason), asked });
  });

  it('annotations of a Pod win over the settings', () => {
    const annotations = {
      'hawser.dev/proxy-image': 'mine:1',
      'hawser.dev/proxy-cpu': '1',
      'hawser.dev/proxy-memory-limit': '1Gi',
      'hawser.dev/exclude-inbound-ports': '9000, 9001',
      'hawser.dev/exclude-outbound-ports': '22',
    };
    const [capture, proxy] = injected({ ...POD, metadata: { annotations } }).spec.initContainers as unknown as {
      image: string;
      command: string[];
      resources: unknown;
    }[];
    expect([capture?.image, proxy?.image]).toEqual(['mine:1', 'mine:1']);
    expect(proxy?.resources).toEqual({ requests: { cpu: '1', memory: '160Mi' }, limits: { memory: '1Gi' } });
    expect(capture?.command.join(' ')).toContain('--exclude-inbound-ports 9000,9001 --exclude-outbound-ports 22');
  });

  it('lives by what a Pod has as a whole, unless annotations say what it is given', () => {
    const spec = { ...POD.spec, resources: { requests: { cpu: '10m' }, limits: { memory: '64Mi' } } };
    const given = (pod: object): unknown[] =>
      (injected(pod).spec.initContainers as unknown as { resources: unknown }[]).slice(0, 2).map(({ resources }) => resources);
    expect(given({ ...POD, spec })).toEqual([{}, { requests: {}, limits: {} }]);
    expect(given({ spec, metadata: { annotations: { 'hawser.dev/proxy-memory': '32Mi' } } })).toEqual([
      {},
      { requests: { memory: '32Mi' }, limits: {} },
    ]);
    expect(injectedPod(injected({ ...POD, spec }), SETTINGS)).toEqual({ kind: 'unchanged' });
    expect(given({ ...POD, spec: { ...spec, resources: {} } })).toEqual(given(POD));
  });

  it('where IPv6 is left alone, the sidecar knows that no call by it comes to it', () => {
    const { spec } = injected(POD, { ...SETTINGS, ipv6: false });
    for (const container of ['hawser-capture', 'hawser-proxy'])
      expect(
        (spec.initContainers as unknown as { name: string; command: string[] }[]).find(({ name }) => name === container)?.command,
      ).toContain('--no-ipv6');
  });

  it('without capture there is no container that may change the network', () => {
    const { spec, metadata } = injected({ ...POD, metadata: { annotations: { 'hawser.dev/capture': 'false' } } });
    expect(spec.initContainers?.map(({ name }) => name)).toEqual(['hawser-proxy', 'migrate']);
    expect(JSON.stringify(spec)).not.toMatch(/NET_ADMIN|--capture/);
    expect(JSON.parse(metadata?.annotations?.[INJECTED_ANNOTATION] ?? '').initContainers).toEqual(['hawser-proxy']);
  });
});

it.each([[POD], [{ spec: POD.spec }], [{ ...POD, metadata: null }]])('the patch makes the injected Pod of %j', (pod) => {
  const after = injected(pod);
  expect(patched(pod, podPatch(pod as PodTemplate, after))).toEqual(after);
});

/** RFC 6902 section 4.1, as far as it is used. */
function patched(pod: object, steps: ReturnType<typeof podPatch>): unknown {
  const result = structuredClone(pod) as Record<string, unknown>;
  for (const { path, value } of steps) {
    const [, ...keys] = path.split('/');
    const last = keys.pop() ?? '';
    const parent = keys.reduce<Record<string, unknown>>((at, key) => at[key] as Record<string, unknown>, result);
    parent[last] = value;
  }
  return result;
}

describe('readInjectionFile', () => {
  it.each([
    [{ agent: 'a:1' }, /image/],
    [{ ...FILE, agent: 'nowhere' }, /^agent: /],
    [{ ...FILE, imagine: 1 }, /^imagine: /],
    [{ ...FILE, requests: { cpu: 'much' } }, /^requests\.cpu: /],
    [{ ...FILE, virtualRange: 'wide' }, /"wide" is no CIDR/],
    [{ ...FILE, excludeInboundPorts: [70_000] }, /^excludeInboundPorts\.0: /],
    [{ ...FILE, webhook: { names: [] } }, /^webhook\.names: /],
    ['text', /^the file: /],
  ])('refuses %j by name', (content, message) => {
    expect(readInjectionFile(content)).toMatch(message);
  });

  it('takes what is needed alone', () => {
    expect(readInjectionFile(FILE)).toBe(FILE);
  });
});
