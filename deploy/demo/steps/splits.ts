/** Asked shares against observed ones: 90/10 between versions, 50/50 between regions. */
import { mustRun } from '../cli.ts';
import { sharesBy, splitError } from '../load-log.ts';
import { startLoad } from '../load-run.ts';
import { hostOf, NAMESPACE } from '../topology.ts';
import type { Step, StepContext } from './step.ts';
import { endLoad } from './under-load.ts';

const REQUESTS = 20_000;
const RATE = 500;

interface Split {
  readonly key: string;
  readonly by: 'version' | 'cluster';
  readonly asked: Readonly<Record<string, number>>;
  readonly resource: { readonly kind: string; readonly metadata: { readonly name: string } } & Record<string, unknown>;
}

/** Applies the policy, waits until every proxy has it, counts, and takes the policy away. */
async function split(context: StepContext, { key, by, asked, resource }: Split): Promise<void> {
  const { cli, fleet, say } = context.demo;
  await mustRun(cli, ['apply', '-f', '-', '--wait'], JSON.stringify(resource));
  say.done(`applied ${resource.kind} ${resource.metadata.name}: every proxy has acknowledged it`);
  const run = startLoad(fleet, {
    name: key,
    from: 'us-east',
    service: 'reviews',
    path: '/ping',
    rate: RATE,
    postEvery: 0,
    count: REQUESTS,
  });
  say.progress(`${REQUESTS} requests at ${RATE}/s`);
  await run.ended;
  const entries = await endLoad(context, run);
  const shares = sharesBy(entries, by);
  context.book.note(key, { value: splitError(shares, asked), unit: 'percentage points', samples: entries.length }, entries);
  say.done(`observed over ${entries.length}: ${[...shares].map(([name, share]) => `${name} ${(share * 100).toFixed(2)} %`).join(', ')}`);
  await mustRun(cli, ['delete', resource.kind.toLowerCase(), resource.metadata.name, '-n', NAMESPACE]);
}

/** 90/10 between v1 and v2 of reviews. */
export const versionSplit: Step = {
  name: 'version-split',
  title: 'VirtualService: reviews 90 % v1, 10 % v2',
  keys: ['version_split_error'],
  run: (context) => {
    const route = [90, 10].map((weight, index) => ({ destination: { host: hostOf('reviews'), subset: `v${index + 1}` }, weight }));
    const resource = {
      apiVersion: 'networking.istio.io/v1',
      kind: 'VirtualService',
      metadata: { namespace: NAMESPACE, name: 'reviews-90-10' },
      spec: { hosts: [hostOf('reviews')], http: [{ route }] },
    };
    return split(context, { key: 'version_split_error', by: 'version', asked: { v1: 0.9, v2: 0.1 }, resource });
  },
};

/** 50/50 between us-east and us-west. */
export const regionSplit: Step = {
  name: 'region-split',
  title: 'TrafficShift: reviews 50 % in us-east, 50 % in us-west',
  keys: ['region_split_error'],
  run: (context) => {
    const resource = {
      apiVersion: 'hawser.dev/v1alpha1',
      kind: 'TrafficShift',
      metadata: { namespace: NAMESPACE, name: 'reviews-50-50' },
      spec: { services: ['reviews'], regions: { 'us-east': 50, 'us-west': 50 } },
    };
    return split(context, { key: 'region_split_error', by: 'cluster', asked: { 'us-east': 0.5, 'us-west': 0.5 }, resource });
  },
};
