/** Telemetry: access logs. */
import { mkdtempSync, readFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { until } from '../datapath/kit/until.ts';
import { behavioursOf } from './kit/behaviour.ts';
import { policy, type Rig } from './kit/rig.ts';

const behaviour = behavioursOf({ net: 100 });
const MESH = { namespace: 'hawser-system', name: 'mesh' };

function logging(accessLogging: unknown, more: object = {}, metadata: object = {}): ReturnType<typeof policy> {
  return policy('Telemetry', { accessLogging, ...more }, metadata);
}

/** Lines of the client's log about a path that is called and logged; what came before it is written by then. */
async function linesAbout(rig: Rig, path: string): Promise<string[]> {
  await rig.call({ path });
  const log = (): string[] =>
    rig
      .client()
      .output()
      .split('\n')
      .filter((line) => line.includes(path));
  await until(
    () => log().length > 0,
    () => `nothing is logged about ${path}`,
  );
  return log();
}

behaviour(
  'TE-001',
  'accessLogging.providers',
  "the provider envoy writes a line for each request, in Istio's format; without a policy nothing",
  async (rig) => {
    await rig.policies([]);
    await rig.call({ path: '/te-001-silent' });
    await rig.policies([logging([{ providers: [{ name: 'envoy' }] }])]);
    const [line = ''] = await linesAbout(rig, '/te-001');
    expect(line).toMatch(/^\[20\S+Z\] "GET \/te-001 HTTP\/1\.1" 200 - via_upstream - "-" 0 \d+ \d+ \d+ "-"/);
    expect(line).toContain('outbound|80||reviews.bookinfo.svc.clusterset.local');
    expect(rig.client().output()).not.toContain('/te-001-silent');
  },
);

behaviour('TE-002', 'accessLogging.filter.expression', 'requests that the CEL expression is not true of are not logged', async (rig) => {
  await rig.policies([logging([{ providers: [{ name: 'envoy' }], filter: { expression: 'response.code >= 400' } }])]);
  await rig.call({ path: '/te-002-fine' });
  await until(
    async () => {
      await rig.call({ path: '/te-002-bad', reply: { status: 404 } });
      return rig.client().output().includes('/te-002-bad');
    },
    () => 'nothing is logged',
  );
  expect(rig.client().output()).not.toContain('/te-002-fine');
});

behaviour('TE-003', 'accessLogging.disabled', 'a policy of the namespace takes out what one of the mesh wants', async (rig) => {
  const mesh = logging([{ providers: [{ name: 'envoy' }] }], {}, MESH);
  await rig.policies([mesh, logging([{ disabled: true }])]);
  await rig.call({ path: '/te-003-off' });
  await rig.policies([mesh]);
  await linesAbout(rig, '/te-003-on');
  expect(rig.client().output()).not.toContain('/te-003-off');
});

behaviour('TE-004', 'accessLogging.match.mode', 'SERVER does not log what a workload calls', async (rig) => {
  await rig.policies([logging([{ providers: [{ name: 'envoy' }], match: { mode: 'SERVER' } }])]);
  await rig.call({ path: '/te-004-server' });
  await rig.policies([logging([{ providers: [{ name: 'envoy' }], match: { mode: 'CLIENT' } }])]);
  await linesAbout(rig, '/te-004-client');
  expect(rig.client().output()).not.toContain('/te-004-server');
});

behaviour('TE-005', 'selector.matchLabels', 'a policy with labels is for the workloads that have them', async (rig) => {
  await rig.policies([logging([{ providers: [{ name: 'envoy' }] }], { selector: { matchLabels: { app: 'reviews' } } })]);
  await rig.call({ path: '/te-005-client' });
  await rig.policies([logging([{ providers: [{ name: 'envoy' }] }])]);
  await linesAbout(rig, '/te-005-after');
  expect(rig.client().output()).not.toContain('/te-005-client');
});

behaviour('TE-006', 'targetRef', 'a policy for a service is for the workloads that serve it', async (rig) => {
  const target = (name: string) => ({ targetRef: { group: '', kind: 'Service', name } });
  await rig.policies([logging([{ providers: [{ name: 'envoy' }] }], target('reviews'))]);
  await rig.call({ path: '/te-006-reviews' });
  await rig.policies([logging([{ providers: [{ name: 'envoy' }] }], target('productpage'))]);
  await linesAbout(rig, '/te-006-productpage');
  expect(rig.client().output()).not.toContain('/te-006-reviews');
});

behaviour('TE-007', 'accessLogging.providers.name', 'an ExtensionProvider writes JSON of the wanted fields to a file', async (rig) => {
  const path = join(mkdtempSync(join(tmpdir(), 'hawser-log-')), 'access.log');
  const labels = { path: '%REQ(:PATH)%', code: '%RESPONSE_CODE%' };
  const provider = policy('ExtensionProvider', { envoyFileAccessLog: { path, logFormat: { labels } } }, { name: 'to-file' });
  await rig.policies([provider, logging([{ providers: [{ name: 'to-file' }] }])]);
  await rig.call({ path: '/te-007' });
  const logged = (): string | undefined =>
    readFileSync(path, 'utf8')
      .split('\n')
      .find((line) => line.includes('/te-007'));
  await until(
    () => logged() !== undefined,
    () => 'the file stays empty',
  );
  expect(JSON.parse(logged() ?? '')).toEqual({ path: '/te-007', code: 200 });
});

behaviour('TE-008', 'accessLogging', 'switching the usual log on and off changes no listener and ends no connection', async (rig) => {
  await rig.policies([]);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const modified = () => rig.client().stat('listener_manager.listener_modified');
  const accepted = () => rig.client().stat('http.outbound.downstream_cx_total');
  await rig.call({ path: '/te-008-before', agent });
  const before = await modified();
  for (const on of [true, false, true]) {
    await rig.policies(on ? [logging([{ providers: [{ name: 'envoy' }] }])] : []);
    const connections = await accepted();
    expect((await rig.call({ path: `/te-008-${on}`, agent })).headers['connection']).not.toBe('close');
    expect(await accepted()).toBe(connections);
  }
  expect(await modified()).toBe(before);
  await linesAbout(rig, '/te-008-true');
  expect(rig.client().output()).not.toContain('/te-008-false');
  agent.destroy();
});
