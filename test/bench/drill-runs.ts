/** Drills of one region by the hub's API, and what its Envoys have of them. */
import type { DrillEvidence } from '@hawser/model/drill-evidence.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { mustRun } from '../../deploy/demo/cli.ts';
import { hostOf, NAMESPACE } from '../../deploy/demo/topology.ts';
import { waitFor } from '../../deploy/demo/wait.ts';
import type { Federation } from './federation.ts';
import { ask } from './kept-alive.ts';

/** The region that is lost, and the one that stays. */
export const [LOST, OTHER] = ['us-east', 'us-west'] as const;
const BASE = '/apis/hawser.dev/v1alpha1';
const DEADLINE_MS = 180_000;

const POLICIES = [
  {
    apiVersion: 'hawser.dev/v1alpha1',
    kind: 'FailoverPolicy',
    metadata: { namespace: NAMESPACE, name: 'details' },
    spec: { services: ['details'], order: [LOST, OTHER], capacity: { regions: { [LOST]: 1_000, [OTHER]: 1_000 } } },
  },
  {
    apiVersion: 'networking.istio.io/v1',
    kind: 'DestinationRule',
    metadata: { namespace: NAMESPACE, name: 'details' },
    spec: {
      host: hostOf('details'),
      trafficPolicy: {
        // What takes connections and is silent is noticed by waiting: for so long.
        connectionPool: { tcp: { connectTimeout: '300ms' } },
        outlierDetection: { consecutive5xxErrors: 3, interval: '1s', baseEjectionTime: '3s', maxEjectionPercent: 100 },
      },
    },
  },
  {
    apiVersion: 'networking.istio.io/v1',
    kind: 'VirtualService',
    metadata: { namespace: NAMESPACE, name: 'details' },
    spec: {
      hosts: [hostOf('details')],
      http: [
        {
          route: [{ destination: { host: hostOf('details') } }],
          retries: {
            attempts: 3,
            perTryTimeout: '250ms',
            retryOn: 'connect-failure,refused-stream,unavailable,5xx,reset',
            retryRemoteLocalities: true,
          },
        },
      ],
    },
  },
];

/** Where a run is, and what was seen of it. */
export interface RunStatus {
  readonly phase: string;
  readonly outcome?: string;
  readonly message?: string;
}

/** What a drill of the region does; everything else is the same for all. */
export interface DrillSays {
  readonly scenario: object;
  readonly guardrail?: object;
  readonly hold?: string;
}

const ERRORS = { source: { hub: { metric: 'errorRatio' } }, condition: 'result < 0.5', window: '2s' };

/** What callers need so that a loss is no outage. */
export async function withPolicies({ cli }: Federation): Promise<void> {
  await mustRun(cli, ['apply', '-f', '-', '--wait'], POLICIES.map((one) => JSON.stringify(one)).join('\n---\n'));
}

/** Writes a drill and begins a run of it; its name. */
export async function beginDrill({ hub }: Federation, name: string, says: DrillSays): Promise<string> {
  const post = (path: string, body: object) => ask({ method: 'POST', url: `${hub.url}${BASE}/drills${path}`, token: hub.token, body });
  await post('', drillOf(name, says));
  return (JSON.parse(await post(`/${name}/run`, { reason: 'a benchmark' })) as Resource).metadata.name;
}

function drillOf(name: string, { scenario, guardrail = ERRORS, hold = '8s' }: DrillSays): object {
  return {
    apiVersion: 'hawser.dev/v1alpha1',
    kind: 'Drill',
    metadata: { name },
    spec: {
      scenario: { type: 'regionLoss', from: { region: LOST }, ...scenario },
      mode: 'live',
      objectives: { rto: '5s', maxErrorRatePercent: 1 },
      guardrails: [{ name: 'guard', initialDelay: '0s', ...guardrail }],
      blastRadius: { services: { names: [`${NAMESPACE}/details`] }, maxTrafficPercent: 100 },
      approvals: { required: 0 },
      plan: { hold, maxDuration: '2m' },
    },
  };
}

/** Waits until the run is where it shall be; a hub that is away is asked again. */
export async function runComesTo({ hub, say }: Federation, run: string, ...phases: readonly string[]): Promise<RunStatus> {
  let last: RunStatus | undefined;
  const look = async (): Promise<RunStatus | undefined> => {
    const answer = await ask({ url: `${hub.url}${BASE}/drillruns/${run}`, token: hub.token }).catch(() => undefined);
    if (answer === undefined) return undefined;
    const { phase } = last ?? { phase: '' };
    last = (JSON.parse(answer) as Resource<unknown, RunStatus>).status;
    if (last?.phase !== phase) say.progress(`${run}: ${last?.phase} ${last?.message ?? ''}`);
    return last !== undefined && phases.includes(last.phase) ? last : undefined;
  };
  return waitFor(`run ${run} does not come to ${phases.join(' or ')}`, look, {
    timeoutMs: DEADLINE_MS,
    hopeless: () => (last?.phase === 'Done' && !phases.includes('Done') ? `${last.outcome}: ${last.message}` : undefined),
  });
}

/** The evidence of a run that is over. */
export async function evidenceOf({ hub }: Federation, run: string): Promise<DrillEvidence> {
  const text = await ask({ url: `${hub.url}${BASE}/drillruns/${run}/report?format=json`, token: hub.token });
  return (JSON.parse(text) as { readonly evidence: DrillEvidence }).evidence;
}

/** Whether the Envoy of the server in the lost region has the fault `drop` in its listeners. */
export async function isSilenced({ fleet }: Federation): Promise<boolean> {
  const { address } = fleet.workload(LOST, 'details-v1');
  return (await ask({ url: `http://${address}:15000/config_dump?resource=dynamic_listeners` })).includes('"stat_prefix": "drill"');
}
