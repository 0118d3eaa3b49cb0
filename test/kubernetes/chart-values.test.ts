/** What single values of the charts come to, rendered by Helm itself. */
import { beforeAll, describe, expect, it } from 'vitest';
import { podTemplateOf, rendered } from '../kit/chart.ts';
import { canRunHelm, helmBinary } from '../kit/helm.ts';
import { BUILD_MS } from '../kit/kube-apiserver-binary.ts';

const AGENT = 'hawser-agent';

interface Policy {
  readonly spec: {
    readonly ingress: readonly { readonly ports: readonly { readonly port: string }[]; readonly from?: readonly object[] }[];
  };
}

interface Fixed {
  readonly kind: string;
  readonly roleRef?: object;
  readonly spec?: {
    readonly selector?: object;
    readonly serviceName?: string;
    readonly podManagementPolicy?: string;
    readonly volumeClaimTemplates?: readonly { readonly metadata: object }[];
  };
}

/** Of an object, what an API server lets nobody change. */
function fixedOf({ kind, roleRef, spec }: Fixed): NonNullable<Fixed['spec']> | undefined {
  if (roleRef !== undefined) return roleRef;
  if (kind === 'PersistentVolumeClaim') return spec;
  if (kind !== 'StatefulSet' && kind !== 'Deployment') return undefined;
  const { selector, serviceName, podManagementPolicy, volumeClaimTemplates } = spec ?? {};
  return Object.fromEntries(
    Object.entries({ selector, serviceName, podManagementPolicy, volumeClaimTemplates }).filter(([, value]) => value !== undefined),
  );
}

describe.skipIf(!canRunHelm())('values of charts', () => {
  beforeAll(() => helmBinary().then(() => undefined), BUILD_MS);

  it('gives proxies the time that their drain takes, and a minute at least', async () => {
    const graceOf = async (gateway: string, outbound: string): Promise<unknown[]> => {
      const values = {
        cluster: 'us-east',
        gateway: { enabled: true, drain: gateway },
        gatewayMode: { enabled: true, outbound: { drain: outbound } },
      };
      const pods = (await rendered(AGENT, values)).filter(({ kind }) => kind === 'Deployment').flatMap((one) => podTemplateOf(one) ?? []);
      return pods.map(({ spec }) => (spec as { terminationGracePeriodSeconds?: number }).terminationGracePeriodSeconds);
    };
    expect(await graceOf('10s', '5m')).toEqual([60, 320]);
    expect(await graceOf('1h', '1500ms')).toEqual([3615, 60]);
  });

  it('opens nothing to everybody where nobody is named', async () => {
    const emptied = { gatewayMode: { enabled: true, outbound: { from: [] } }, monitoring: { podMonitor: { enabled: true }, from: [] } };
    const values = { cluster: 'us-east', gateway: { enabled: true }, ...emptied };
    const policies = (await rendered(AGENT, values)).filter(({ kind }) => kind === 'NetworkPolicy');
    const rules = (policies as unknown as readonly Policy[]).flatMap(({ spec }) => spec.ingress);
    const open = rules.filter(({ from = [] }) => from.length === 0).flatMap(({ ports }) => ports.map(({ port }) => port));
    expect([...new Set(open)].sort()).toEqual(['health', 'tunnel', 'xds']);
  });

  it('renders what no upgrade can change as the first releases had it', async () => {
    const values = { cluster: 'us-east', gateway: { enabled: true }, gatewayMode: { enabled: true }, readPolicies: true };
    const objects = (await Promise.all([rendered(AGENT, values), rendered('hawser-hub', {})])).flat();
    const fixed = objects.flatMap((object) => {
      const found = fixedOf(object as unknown as Fixed);
      return found === undefined ? [] : [[`${object.kind} ${object.metadata.name}`, found] as const];
    });
    const selector = (name: string, instance = AGENT) => ({
      matchLabels: { 'app.kubernetes.io/name': name, 'app.kubernetes.io/instance': instance },
    });
    expect(Object.fromEntries(fixed)).toMatchObject({
      [`StatefulSet ${AGENT}`]: {
        ...{ selector: selector(AGENT), serviceName: AGENT, podManagementPolicy: 'Parallel' },
        volumeClaimTemplates: [
          { metadata: { name: 'state' }, spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } },
        ],
      },
      [`PersistentVolumeClaim ${AGENT}-identity`]: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '64Mi' } } },
      [`Deployment ${AGENT}-gateway`]: { selector: selector('hawser-gateway') },
      'Deployment hawser-outbound': { selector: selector('hawser-outbound') },
      'Deployment hawser-hub': { selector: selector('hawser-hub', 'hawser-hub') },
      [`ClusterRoleBinding ${AGENT}`]: { kind: 'ClusterRole', name: AGENT },
      [`ClusterRoleBinding ${AGENT}-policies`]: { kind: 'ClusterRole', name: `${AGENT}-policies` },
      [`ClusterRoleBinding ${AGENT}-derived-services`]: { kind: 'ClusterRole', name: `${AGENT}-derived-services` },
    });
    const claims = fixed.flatMap(([, { volumeClaimTemplates = [] }]) => volumeClaimTemplates);
    // A label of the release in a claim would end every upgrade.
    expect(claims.map(({ metadata }) => Object.keys(metadata))).toEqual([['name']]);
  });
});
