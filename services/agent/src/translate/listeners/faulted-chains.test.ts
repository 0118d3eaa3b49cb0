/** What drills do touches the chains, or the routes, of what they name, and not a byte of anything else. */
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import type { DrillFault } from '@hawser/model/drill-form.ts';
import { FilterChainSchema } from '@hawser/xds/generated/envoy/config/listener/v3/listener_components_pb.ts';
import { ListenerSchema } from '@hawser/xds/generated/envoy/config/listener/v3/listener_pb.ts';
import { expect, test } from 'vitest';
import { proxiesOf, readCase, worldOf } from '../../../../../test/kit/golden-case.ts';
import { type Change, keysOf } from '../../snapshot/resource.ts';
import type { World } from '../../state/world.ts';
import { createTranslator } from '../translator.ts';

const SIDECAR = { role: 'sidecar', address: '10.0.1.12' } as const;
const CASE = readCase('drill-refuse');
const SERVICES = ['bookinfo/reviews', 'bookinfo/mysql'];

function world(policies: typeof CASE.policies): World {
  return worldOf({ ...CASE, policies });
}

function drill(fault: DrillFault, { services = SERVICES, scope = { region: 'us-east' } as object } = {}): World {
  return world([{ kind: 'DrillRun', metadata: { name: 'run' }, spec: { run: 'run', lease: '15s', inject: { scope, services, fault } } }]);
}

/** What a world changes after the one without drills, and what taking it back changes. */
function changed(after: World): { on: Change[]; off: Change[]; before: Change[] } {
  const translator = createTranslator();
  translator.attach(SIDECAR);
  const before = translator.update(world([]), 'all');
  const on = translator.update(after, 'all');
  return { before, on, off: translator.update(world([]), 'all') };
}

function named(changes: readonly Change[]): string[] {
  return changes.flatMap((change) => keysOf(change).map(({ type, name }) => `${change.layer} ${type} ${name}`));
}

/** Chains of the inbound listener, by name. */
function chains(changes: readonly Change[]): Map<string, string> {
  const put = changes.find((change) => 'put' in change && change.put.name === 'inbound');
  const bytes = put !== undefined && 'put' in put ? put.put.bytes : new Uint8Array();
  const { filterChains } = fromBinary(ListenerSchema, bytes);
  return new Map(filterChains.map((chain) => [chain.name, Buffer.from(toBinary(FilterChainSchema, chain)).toString('base64')]));
}

const LISTENER = 'sidecar:10.0.1.12 LDS inbound';
const ROUTES = 'sidecar:10.0.1.12 RDS inbound|9080|80.reviews.bookinfo';
const [HTTP, TCP] = ['80.reviews.bookinfo', '3306.mysql.bookinfo'];

test.each<[DrillFault, readonly string[], readonly string[]]>([
  [{ refuse: true }, [LISTENER], [TCP, HTTP]],
  [{ drop: true }, [LISTENER], [TCP, HTTP]],
  [{ delay: '1s', percent: 100 }, [LISTENER], [HTTP]],
  [{ error: 503, percent: 100 }, [ROUTES], []],
])('%j changes %j, of its chains %j', (fault, resources, differing) => {
  const { before, on, off } = changed(drill(fault));
  expect(named(on)).toEqual(resources);
  expect(named(off)).toEqual(resources);
  if (differing.length === 0) return;
  const [without, during, after] = [chains(before), chains(on), chains(off)];
  expect([...during.keys()]).toEqual([...without.keys()]);
  expect([...during].filter(([name, chain]) => without.get(name) !== chain).map(([name]) => name)).toEqual(differing);
  expect(after).toEqual(without);
});

test.each([
  ['another cluster', drill({ refuse: true }, { scope: { cluster: 'us-west' } })],
  ['another zone', drill({ refuse: true }, { scope: { zone: 'us-east/elsewhere' } })],
  ['a service that nobody has', drill({ refuse: true }, { services: ['bookinfo/nobody'] })],
])('a drill in %s changes nothing', (_where, after) => {
  expect(changed(after).on).toEqual([]);
});

test('of two drills the older is obeyed, and the other when that is over', () => {
  const run = (name: string, time: string, fault: DrillFault) => ({
    ...{ kind: 'DrillRun', metadata: { name, creationTimestamp: time } },
    spec: { run: name, lease: '15s', inject: { scope: { region: 'us-east' }, services: SERVICES, fault } },
  });
  const [older, newer] = [run('z', '2026-01-01T00:00:00Z', { refuse: true }), run('a', '2026-01-02T00:00:00Z', { drop: true })];
  const both = chains(changed(world([newer, older])).on);
  expect(both).toEqual(chains(changed(drill({ refuse: true })).on));
});

test.each<DrillFault>([{ refuse: true }, { drop: true }, { delay: '1s', percent: 50 }, { error: 502, percent: 100 }])(
  'of an edge proxy that serves the mesh, %j changes the chain of the mesh alone',
  (fault) => {
    const input = readCase('gateway-mesh-side');
    const [edge] = proxiesOf(input);
    if (edge === undefined) throw new Error('the case has no proxy');
    const spec = { run: 'run', lease: '15s', inject: { scope: { region: 'us-east' }, services: ['ingress/edge'], fault } };
    const translator = createTranslator();
    translator.attach(edge);
    const before = chains(translator.update(worldOf(input), 'all'));
    const run = { kind: 'DrillRun', metadata: { name: 'run' }, spec };
    const changes = translator.update(worldOf({ ...input, policies: [...input.policies, run] }), 'all');
    expect(named(changes)).toEqual(['edge:10.0.1.5 LDS inbound']);
    expect(chains(changes)).not.toEqual(before);
    const bytes = changes.flatMap((change) => ('put' in change ? [Buffer.from(change.put.bytes).toString('latin1')] : [])).join('');
    expect(bytes.includes('hawser.drill')).toBe('delay' in fault || 'error' in fault);
  },
);
