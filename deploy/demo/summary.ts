/** What a newcomer needs to know once everything runs. Pure. */
import { OFFER } from './offered-drill.ts';
import type { RunningDemo } from './start.ts';

/** A short text: where to look, what to try; `isOffered`: the drill is. */
export function summary({ options, fleet, firstRequestS }: RunningDemo, isOffered: boolean): string {
  const proxies = fleet.clusters.reduce((sum, { workloads }) => sum + workloads.length + 1, 0);
  const state = options.stateDir === `${process.cwd()}/.hawser` ? '' : ` --state-dir ${options.stateDir}`;
  const hawser = `npx hawser${state}`;
  return `
The federation is up: ${fleet.clusters.length} regions, ${proxies} Envoys; the first request across regions took ${firstRequestS.toFixed(1)} s.

  Console      http://127.0.0.1:${options.hubPort}
  Bookinfo     http://127.0.0.1:${options.ingressPort}   (reload it: versions and regions change)

Try, in another terminal:
  ${hawser} status
  ${hawser} who-serves bookinfo/reviews --from us-east --without us-east
  ${hawser} proxy-status
  ${hawser} get failoverpolicies -A -o yaml

Logs: ${options.stateDir}/demo/logs    Processes: ${options.stateDir}/demo.json
${isOffered ? `${OFFER} ` : ''}Ctrl-C ends everything.
`;
}
