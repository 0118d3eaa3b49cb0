/** The Helm charts: rendered by Helm itself, judged by a real API server, by Pod Security and by the command line's own definitions. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadAgentConfig } from '@hawser/agent/config.ts';
import { INSTALLED_KINDS } from '@hawser/cli/kubernetes/installed-objects.ts';
import { INSTALL_RIGHTS, ROLE_RIGHTS } from '@hawser/cli/kubernetes/needed-rights.ts';
import { type ProxyIdentityFlags, proxyOf } from '@hawser/cli/proxy/proxy-flags.ts';
import { apiSpeaksTls, loadHubConfig } from '@hawser/hub/config.ts';
import { readInjectionFile } from '@hawser/model/injection/injection-settings.ts';
import type { KubeObject } from '@hawser/model/kube-object.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { chartPath, podTemplateOf, rendered } from '../kit/chart.ts';
import { flagsOf } from '../kit/command-flags.ts';
import { canRunHelm, helm, helmBinary } from '../kit/helm.ts';
import { startKubeApiserver, type TestKubeApiserver } from '../kit/kube-apiserver.ts';
import { BUILD_MS, canRunKubernetes } from '../kit/kube-apiserver-binary.ts';

const ROOT = join(import.meta.dirname, '../..');
const [HUB, AGENT] = ['hawser-hub', 'hawser-agent'] as const;
const spread = [{ maxSkew: 1, topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: 'DoNotSchedule' }];
const placed = {
  ...{ priorityClassName: 'high', nodeSelector: { disk: 'ssd' }, topologySpread: spread },
  ...{ tolerations: [{ key: 'mesh', operator: 'Exists' }], affinity: { nodeAffinity: {} } },
};
const common = {
  ...placed,
  image: { repository: 'registry.example/hawser', digest: `sha256:${'0'.repeat(64)}`, pullPolicy: 'Always' },
  ...{ imagePullSecrets: [{ name: 'pull' }], extraEnv: [{ name: 'NODE_OPTIONS', value: '--trace-warnings' }] },
  ...{
    podAnnotations: { 'example.com/team': 'mesh' },
    podLabels: { team: 'mesh' },
    serviceAccount: { annotations: { 'example.com/role': 'r' } },
  },
};

/** What a chart is given: nothing, everything, as little as there can be. */
const MATRIX: readonly (readonly [chart: string, what: string, values: object])[] = [
  [HUB, 'defaults', {}],
  [
    HUB,
    'everything',
    {
      ...{ ...common, replicas: 3, publicUrl: 'https://hawser.example.com', extraArgs: ['--private-check-endpoints', 'on'] },
      database: { caSecret: 'database-ca' },
      nats: { urls: ['tls://nats-0.nats:4222', 'tls://nats-1.nats:4222'], caSecret: 'nats-ca', copies: 3 },
      tls: { existingSecret: 'hub-tls', pinCa: true },
      integrations: { existingSecret: 'integrations' },
      service: { type: 'LoadBalancer', port: 443, annotations: { 'example.com/lb': 'internal' } },
      networkPolicy: { apiFrom: [{ ipBlock: { cidr: '10.0.0.0/8' } }], extraEgress: [{ ports: [{ port: 6432 }] }] },
      monitoring: { serviceMonitor: { enabled: true, labels: { release: 'p' } }, prometheusRule: { enabled: true } },
    },
  ],
  [HUB, 'minimal', { replicas: 1, podDisruptionBudget: { enabled: false }, networkPolicy: { enabled: false }, topologySpread: [] }],
  [AGENT, 'defaults', {}],
  [
    AGENT,
    'everything',
    {
      ...{ ...common, replicas: 2, cluster: 'us-east', extraArgs: ['--virtual-range', '241.0.0.0/16'] },
      identity: { accessMode: 'ReadWriteMany', storageClass: 'shared', size: '1Gi' },
      ...{ caKey: { existingSecret: 'ca-key' }, hubCa: { existingSecret: 'hub-ca' }, state: { storageClass: 'fast' } },
      ...{ secretNamespaces: ['edge'], edgeAccounts: ['edge/ingress'], sendAllUpTo: 50, importEndpointSlices: true, readPolicies: true },
      denyImportWrites: { enabled: true, otherAccounts: ['canary/hawser-agent'] },
      proxyImage: { repository: 'registry.example/hawser-proxy', tag: '1' },
      injection: { enabled: true, failurePolicy: 'Fail' },
      gateway: { ...placed, enabled: true, addresses: ['203.0.113.7:15443', '[2001:db8::7]:15443'], extraArgs: ['--region', 'us-east'] },
      gatewayMode: {
        enabled: true,
        outbound: { ...placed, from: [{ podSelector: {} }], service: { clusterIP: '10.96.0.77', annotations: { 'example.com/a': 'b' } } },
      },
      monitoring: { podMonitor: { enabled: true, labels: { release: 'p' } } },
    },
  ],
  [AGENT, 'gateway mode without gateways', { cluster: 'us-east', gatewayMode: { enabled: true, outbound: { replicas: 1 } } }],
  [
    AGENT,
    'emptied',
    {
      ...{ cluster: 'us-east', gateway: { enabled: true, resources: null, topologySpread: null }, resources: null, podAnnotations: null },
      gatewayMode: { enabled: true, outbound: { from: [], resources: { limits: null } } },
      monitoring: { podMonitor: { enabled: true }, from: [] },
      ...{ tolerations: null, affinity: null, extraEnv: null, nodeSelector: null, imagePullSecrets: null },
    },
  ],
  [
    AGENT,
    'minimal',
    {
      ...{ identity: { existingSecret: 'identity' }, topologySpread: [] },
      ...{ podDisruptionBudget: { enabled: false }, networkPolicy: { enabled: false } },
    },
  ],
];

/** What is refused, and where it says so. */
const REFUSED: readonly (readonly [chart: string, values: object, says: RegExp])[] = [
  [HUB, { replica: 2 }, /replica/],
  [HUB, { publicUrl: 'http://hawser.example.com' }, /publicUrl/],
  [HUB, { nats: { urls: ['nats://nats:4222'] } }, /nats\/urls\/0|nats\.urls\.0/],
  [HUB, { nats: { urls: [] } }, /nats\/urls|nats\.urls/],
  [HUB, { database: { existingSecret: '' } }, /existingSecret/],
  [HUB, { image: { pullPolicy: 'Sometimes' } }, /pullPolicy/],
  [AGENT, { cluster: 'US East' }, /cluster/],
  [AGENT, { gateway: { addresses: ['gateway.example.com:15443'] } }, /addresses/],
  [AGENT, { gateway: { enabled: 'yes' } }, /enabled/],
  [AGENT, { identity: { acessMode: 'ReadWriteMany' } }, /acessMode/],
  [AGENT, { injection: { failurePolicy: 'fail' } }, /failurePolicy/],
  [AGENT, { denyImportWrites: { otherAccounts: ['hawser-agent'] } }, /otherAccounts/],
  [AGENT, { topologySpread: [{ topologyKey: 'zone' }] }, /topologySpread/],
  [AGENT, { podLabels: { 'app.kubernetes.io/name': 'mine' } }, /podLabels/],
  [HUB, { podLabels: { 'helm.sh/chart': 'mine' } }, /podLabels/],
  [AGENT, { extraEnv: [{ name: 'POD_IP', value: '10.0.0.1' }] }, /extraEnv\/0\/name/],
  [AGENT, { replicas: 2 }, /replicas: several agents share one identity folder.*identity\.accessMode/s],
  [AGENT, { gatewayMode: { enabled: true } }, /the outbound gateway has to know the name of its cluster: set cluster/],
  [AGENT, { cluster: 'us-east', gatewayMode: { enabled: true, outbound: { service: { clusterIP: 'dns' } } } }, /clusterIP/],
  [AGENT, { gateway: { enabled: true } }, /a gateway has to know the name of its cluster: set cluster/],
];

const isServed = ({ apiVersion }: KubeObject): boolean => !apiVersion.startsWith('monitoring.coreos.com/');

describe.skipIf(!canRunHelm())('charts', () => {
  beforeAll(() => helmBinary().then(() => undefined), BUILD_MS);

  it.each(MATRIX)('%s, %s: helm lint has nothing to say', async (chart, _what, values) => {
    const { status, stdout, stderr } = await helm(['lint', '--strict', chartPath(chart), '-n', 'hawser-system'], values);
    expect([status, stdout.match(/\[(WARNING|ERROR)\].*/g)], `${stdout}${stderr}`).toEqual([0, null]);
  });

  it.each(REFUSED)('%s refuses %j', async (chart, values, says) => {
    await expect(rendered(chart, values)).rejects.toThrow(says);
  });

  it('refuses gateways in another namespace than that of their identity', async () => {
    await expect(rendered(AGENT, { cluster: 'us-east', gateway: { enabled: true } }, 'mesh')).rejects.toThrow(
      /hawser-system\/gateway.*this release goes to namespace mesh: install it with --namespace hawser-system/,
    );
  });

  it('refuses an admission policy where the API server has no such kind', async () => {
    const values = { denyImportWrites: { enabled: true } };
    const { status, stderr } = await helm(['template', AGENT, chartPath(AGENT), '--kube-version', 'v1.29.9'], values);
    expect([status, stderr]).toEqual([
      1,
      expect.stringMatching(/denyImportWrites\.enabled: Kubernetes v1\.29\.9 has no .*upgrade to 1\.30/),
    ]);
  });

  it.each(MATRIX)('%s, %s: every container runs a command that the command line takes', async (chart, _what, values) => {
    const objects = await rendered(chart, values);
    const containers = objects.flatMap((object) => podTemplateOf(object)?.spec.containers ?? []);
    expect(containers.length).toBeGreaterThan(0);
    for (const { command, args, env = [] } of containers) {
      expect(command).toEqual(['hawser']);
      const argv = args.map((word) => word.replace('$(POD_IP)', '10.1.2.3').replace('$(POD_NAME)', 'gateway-0'));
      const flags = await flagsOf(argv);
      const variables = Object.fromEntries(env.map(({ name, value }) => [name, value]));
      if (argv[0] === 'hub') {
        const { caFile: _, ...own } = flags;
        const config = loadHubConfig(own, { ...variables, HAWSER_DATABASE_URL: 'postgres://hawser@db/hawser?sslmode=verify-full' });
        expect([apiSpeaksTls(config), config.publicUrl.startsWith('https://')]).toEqual([true, true]);
      } else if (argv[0] === 'agent') {
        const { caKeyFile: _key, caFile: _ca, ...own } = flags;
        expect(loadAgentConfig(own, variables)).toMatchObject({ tls: true, registry: { kind: 'kubernetes' }, stateDir: '/var/lib/hawser' });
      } else {
        expect(argv.slice(0, 2)).toEqual(['proxy', 'run']);
        expect(['--gateway', '--outbound-gateway']).toContain(argv[2]);
        expect(proxyOf(flags as unknown as ProxyIdentityFlags)).toMatchObject({ cluster: 'us-east', address: '10.1.2.3' });
      }
    }
  });

  it('gives the outbound gateway the account and the Service that it tells the agent, wherever it goes', async () => {
    const values = { cluster: 'us-east', gatewayMode: { enabled: true } };
    const objects = await rendered(AGENT, values, 'mesh');
    const agent = objects.flatMap((one) => (one.kind === 'StatefulSet' ? (podTemplateOf(one) ?? []) : []))[0]?.spec.containers[0];
    const { outboundGateway, gatewayMode } = loadAgentConfig(
      await flagsOf(agent?.args.map((word) => word.replace('$(POD_IP)', '10.1.2.3')) ?? []),
      {},
    );
    expect([gatewayMode, outboundGateway]).toEqual([true, { namespace: 'mesh', name: 'hawser-outbound' }]);
    const own = objects.filter(
      ({ metadata }) => metadata.name === outboundGateway.name && metadata.namespace === outboundGateway.namespace,
    );
    expect(own.map(({ kind }) => kind).sort()).toEqual(['Deployment', 'NetworkPolicy', 'PodDisruptionBudget', 'Service', 'ServiceAccount']);
    const proxy = own.flatMap((one) => podTemplateOf(one) ?? [])[0]?.spec;
    const words = proxy?.containers[0]?.args.map((word) => word.replace('$(POD_IP)', '10.1.2.3').replace('$(POD_NAME)', 'a')) ?? [];
    expect(proxyOf((await flagsOf(words)) as unknown as ProxyIdentityFlags)).toMatchObject({
      ...{ outboundGateway: true, name: 'a.mesh', namespace: 'mesh', serviceAccount: 'hawser-outbound' },
    });
    expect(proxy).toMatchObject({
      serviceAccountName: 'hawser-outbound',
      containers: [{ startupProbe: { tcpSocket: { port: 'http' } }, lifecycle: { preStop: { exec: { command: ['sleep', '5'] } } } }],
    });
    const [policy] = own.filter(({ kind }) => kind === 'NetworkPolicy') as unknown as { spec: { ingress: object[] } }[];
    expect(policy?.spec.ingress[0]).toMatchObject({
      ports: [{ port: 'http' }, { port: 16_000, endPort: 19_999 }, { port: 'dns', protocol: 'UDP' }, { port: 'dns-tcp', protocol: 'TCP' }],
      from: [{ namespaceSelector: {} }],
    });
  });

  it('is as docs/without-sidecars.md says: its values, its address for DNS and its commands', async () => {
    const guide = readFileSync(join(ROOT, 'docs/without-sidecars.md'), 'utf8');
    const blocks = (language: string): string[] =>
      [...guide.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].flatMap(([, of, text = '']) => (of === language ? [text] : []));
    const [values] = blocks('yaml').map((text) => parse(text) as object);
    const objects = await rendered(AGENT, { ...values, cluster: 'us-east' });
    const [service] = objects.filter(({ kind, metadata }) => kind === 'Service' && metadata.name === 'hawser-outbound');
    expect(service).toMatchObject({ spec: { clusterIP: '10.96.0.53', ports: [{ port: 53, protocol: 'UDP' }, { port: 53 }] } });
    expect(blocks('text')).toEqual([expect.stringContaining('forward . 10.96.0.53\n')]);
    const commands = [
      ...blocks('sh')
        .join('\n')
        .matchAll(/^hawser (.*)$/gm),
    ].map(([, line = '']) => line.replace(/ +#.*/, '').split(' '));
    expect(commands.length).toBeGreaterThan(3);
    for (const argv of commands) await expect(flagsOf(argv), argv.join(' ')).resolves.toBeDefined();
  });

  it('binds the rights to write what stands behind imports where the switches are on alone', async () => {
    const bound = async (values: object): Promise<string[]> => {
      const objects = (await rendered(AGENT, values)) as readonly Rbac[];
      const names = objects.flatMap(({ kind, roleRef }) => (kind === 'ClusterRoleBinding' ? (roleRef?.name ?? []) : []));
      return names.filter((name) => /-(derived-services|import-slices)$/.test(name));
    };
    expect(await bound({})).toEqual([]);
    expect(await bound({ cluster: 'us-east', gatewayMode: { enabled: true } })).toEqual(['hawser-agent-derived-services']);
    expect(await bound({ importEndpointSlices: true })).toEqual(['hawser-agent-import-slices']);
  });

  it.each(MATRIX)(
    '%s, %s: what a container names is mounted, and no Service of the namespace speaks to it by its environment',
    async (chart, _what, values) => {
      const pods = (await rendered(chart, values)).flatMap((object) => podTemplateOf(object) ?? []);
      for (const { spec } of pods) {
        expect(spec.enableServiceLinks).toBe(false);
        for (const { args, volumeMounts } of spec.containers) {
          const paths = args.filter((word) => word.startsWith('/'));
          const isMounted = (path: string): boolean => volumeMounts.some(({ mountPath }) => `${path}/`.startsWith(`${mountPath}/`));
          expect(paths.filter((path) => !isMounted(path))).toEqual([]);
        }
      }
    },
  );

  it('renders the roles of deploy/kubernetes/agent-rbac.yaml under its own name, for its own account alone', async () => {
    const source = parseAllDocuments(readFileSync(join(ROOT, 'deploy/kubernetes/agent-rbac.yaml'), 'utf8')).map(
      (one) => one.toJS() as Rbac,
    );
    const values = { fullnameOverride: 'mesh-agent', secretNamespaces: ['edge'], readPolicies: true };
    const objects = (await rendered(AGENT, values, 'mesh')) as readonly Rbac[];
    const roles = ({ kind }: Rbac): boolean => /^(Cluster)?Role$/.test(kind);
    const named = (of: readonly Rbac[]): Record<string, unknown> =>
      Object.fromEntries(of.filter(roles).map(({ metadata, rules }) => [metadata.name, rules]));
    expect(named(objects)).toEqual(JSON.parse(JSON.stringify(named(source)).replaceAll('hawser-agent', 'mesh-agent')));
    const bindings = objects.filter(({ kind }) => kind.endsWith('RoleBinding') || kind.endsWith('ClusterRoleBinding'));
    expect(bindings.length).toBeGreaterThan(1);
    for (const { subjects } of bindings) expect(subjects).toEqual([{ kind: 'ServiceAccount', name: 'mesh-agent', namespace: 'mesh' }]);
    expect(bindings.find(({ metadata }) => metadata.namespace === 'edge')?.roleRef?.name).toBe('mesh-agent-certificates');
    expect(bindings.some(({ roleRef }) => roleRef?.name === 'mesh-agent-policies')).toBe(true);
  });

  it('needs the rights that hawser check --pre asks for: to install each kind of object, and every rule of its roles', async () => {
    const objects = (await Promise.all(MATRIX.filter(([chart]) => chart === AGENT).map(([, , values]) => rendered(AGENT, values)))).flat();
    const resourceOf = (kind: string): string => kind.toLowerCase().replace(/y$/, 'ie').concat('s');
    const kinds = new Set(objects.map(({ apiVersion, kind }) => `${apiVersion.split('/').slice(0, -1).join()}/${resourceOf(kind)}`));
    const beside = ['/namespaces', '/secrets']; // what joining makes around the chart
    const judged = [...kinds].filter((name) => name !== 'monitoring.coreos.com/podmonitors');
    expect(INSTALL_RIGHTS.map(({ group, resource }) => `${group}/${resource}`).sort()).toEqual([...judged, ...beside].sort());
    const removable = INSTALLED_KINDS.map(([, kind]) => kind).filter((kind) => kind !== 'Secret');
    expect(removable.sort()).toEqual(
      [...new Set(objects.map(({ kind }) => kind))].filter((kind) => kind !== 'CustomResourceDefinition').sort(),
    );
    const given = (objects as readonly Rbac[]).flatMap(({ kind, metadata, rules = [] }) =>
      (rules as readonly Rule[]).flatMap(({ apiGroups, resources, verbs, resourceNames = [''] }) =>
        resources.flatMap((resource) =>
          resourceNames.map((name) => [metadata.name, kind, `${apiGroups.join()}/${resource}`, name, verbs.join()].join(' ')),
        ),
      ),
    );
    const table = ROLE_RIGHTS.map(({ role, namespaced, group, resource, name = '', verbs }) =>
      [role, namespaced ? 'Role' : 'ClusterRole', `${group}/${resource}`, name, verbs.join()].join(' '),
    );
    expect(table.sort()).toEqual([...new Set(given)].sort());
  });

  it('renders the webhook of deploy/kubernetes/injection.yaml for its own namespace, image and revision', async () => {
    const injection = { enabled: true, revision: 'canary', failurePolicy: 'Fail' };
    const values = { fullnameOverride: 'mesh-agent', injection, proxyImage: { repository: 'registry.example/proxy', tag: '2' } };
    const objects = await rendered(AGENT, values, 'mesh');
    const ofKind = (kind: string): KubeObject[] => objects.filter((one) => one.kind === kind && one.metadata.name.includes('injection'));
    const [settings] = ofKind('ConfigMap') as unknown as { data: Record<string, string> }[];
    expect(readInjectionFile(parse(settings?.data['injection.yaml'] ?? ''))).toMatchObject({
      ...{ image: 'registry.example/proxy:2', agent: 'mesh-agent.mesh.svc:15010', revision: 'canary', ignoredNamespaces: ['mesh'] },
      webhook: { configuration: 'hawser-injection-canary', names: ['hawser-injection-canary.mesh.svc'] },
    });
    const [{ webhooks } = { webhooks: [] }] = ofKind('MutatingWebhookConfiguration') as unknown as { webhooks: readonly Webhook[] }[];
    expect(webhooks.map(({ name }) => name)).toEqual(['revision.injection.hawser.dev']);
    expect(webhooks[0]).toMatchObject({ failurePolicy: 'Fail', clientConfig: { service: { namespace: 'mesh' } } });
    expect(webhooks[0]?.namespaceSelector.matchExpressions).toContainEqual({ key: 'hawser.dev/rev', operator: 'In', values: ['canary'] });
    const byDefault = await rendered(AGENT, { injection: { enabled: true } });
    const source = parseAllDocuments(readFileSync(join(ROOT, 'deploy/kubernetes/injection.yaml'), 'utf8')).map((one) => one.toJS() as Rbac);
    for (const kind of ['MutatingWebhookConfiguration', 'ClusterRole', 'ClusterRoleBinding']) {
      const [wanted] = source.filter((one) => one.kind === kind);
      const found = byDefault.find((one) => one.kind === kind && one.metadata.name === wanted?.metadata.name);
      expect({ ...found, metadata: { name: found?.metadata.name } }).toEqual(wanted);
    }
  });

  it('brings every definition of deploy/crds, and every alert of deploy/alerts', async () => {
    const definitions = (await rendered(AGENT, {}))
      .filter(({ kind }) => kind === 'CustomResourceDefinition')
      .map(({ metadata }) => metadata.name);
    const files = readdirSync(join(ROOT, 'deploy/crds')).filter((name) => name.endsWith('.yaml'));
    expect(definitions.sort()).toEqual(files.map((name) => name.replace(/^(.*)_(.*)\.yaml$/, '$2.$1')).sort());
    const [rule] = (await rendered(HUB, { monitoring: { prometheusRule: { enabled: true } } })).filter(
      ({ kind }) => kind === 'PrometheusRule',
    );
    const alerts = readdirSync(join(ROOT, 'deploy/alerts')).filter((name) => name.endsWith('.yaml'));
    const groups = alerts.flatMap(
      (name) => (parse(readFileSync(join(ROOT, 'deploy/alerts', name), 'utf8')) as { groups: unknown[] }).groups,
    );
    expect(rule).toMatchObject({ spec: { groups } });
  });

  it.each([HUB, AGENT])('%s: its README and notes teach commands that there are', async (chart) => {
    const notes = readFileSync(join(chartPath(chart), 'templates/NOTES.txt'), 'utf8').replaceAll(/\{\{[^}]*\}\}/g, 'x');
    const text = `${readFileSync(join(chartPath(chart), 'README.md'), 'utf8')}\n${notes}`;
    const commands = [...text.matchAll(/^ *hawser (.*)$/gm)].map(([, line = '']) => line.replace(/ +[#>].*/, '').split(' '));
    expect(commands.length).toBeGreaterThan(2);
    for (const argv of commands) await expect(flagsOf(argv), argv.join(' ')).resolves.toBeDefined();
  });
});

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
}

interface Webhook {
  readonly name: string;
  readonly namespaceSelector: { readonly matchExpressions: readonly object[] };
}

interface Rbac extends KubeObject {
  readonly rules?: unknown;
  readonly roleRef?: { readonly name: string };
  readonly subjects?: unknown;
}

describe.skipIf(!canRunHelm() || !canRunKubernetes())('charts on a real API server', () => {
  let kube: TestKubeApiserver;

  beforeAll(async () => {
    await helmBinary();
    kube = await startKubeApiserver();
    const restricted = { 'pod-security.kubernetes.io/enforce': 'restricted', 'pod-security.kubernetes.io/enforce-version': 'latest' };
    for (const metadata of [{ name: 'hawser-system', labels: restricted }, { name: 'edge' }])
      await kube.admin.apply({ apiVersion: 'v1', kind: 'Namespace', metadata });
  }, BUILD_MS);
  afterAll(() => kube?.stop());

  it.each(MATRIX)('%s, %s: every object is taken, its Pods under the restricted level of Pod Security', async (chart, _what, values) => {
    const objects = (await rendered(chart, values)).filter(isServed);
    for (const object of objects) await kube.admin.apply(object, { dryRun: true });
    const pods = objects.flatMap((object) => podTemplateOf(object) ?? []);
    expect(pods.length).toBeGreaterThan(0);
    for (const { metadata, spec } of pods) {
      // A StatefulSet's controller would add the volumes of its claims.
      const claims = spec.containers.flatMap(({ volumeMounts }) => volumeMounts.map(({ name }) => name));
      const missing = claims.filter((name) => !spec.volumes.some((volume) => volume.name === name));
      const volumes = [...spec.volumes, ...new Set(missing)].map((one) => (typeof one === 'string' ? { name: one, emptyDir: {} } : one));
      const pod = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { ...metadata, name: 'tried', namespace: 'hawser-system' },
        spec: { ...spec, volumes },
      };
      await kube.admin.apply(pod, { dryRun: true });
    }
    // That the level is enforced here at all.
    const [tried] = pods;
    const lax = { ...tried?.spec, securityContext: {}, containers: [{ name: 'a', image: 'a' }] };
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'lax', namespace: 'hawser-system' }, spec: lax };
    await expect(kube.admin.apply(pod, { dryRun: true })).rejects.toThrow(/violates PodSecurity "restricted/);
  });
});
