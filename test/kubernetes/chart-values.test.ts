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
});
