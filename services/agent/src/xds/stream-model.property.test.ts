/**
 * Random histories of one stream, delta and state of the world, against simulated clients: whatever happens, nothing that is
 * asked for is lost, nothing else comes, and in the end the client has what is served.
 */
import type { XdsType } from '@hawser/wire/messages.ts';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { histories } from '../../../../test/kit/random-histories.ts';
import type { ClientType, Habits } from '../../../../test/kit/simulated-client.ts';
import { deltaSimulation, isBad, ORDER, type StreamSimulation, sotwSimulation } from '../../../../test/kit/stream-simulation.ts';

interface Key {
  readonly type: XdsType;
  readonly name: string;
}

type Step =
  | {
      readonly do: 'change';
      readonly changes: readonly (Key & { readonly remove: boolean; readonly bad: boolean; readonly names: string[] })[];
    }
  | ({ readonly do: 'subscribe' | 'unsubscribe' } & Key)
  | { readonly do: 'to server' | 'to client' | 'slow' | 'fast' | 'reconnect' | 'restart' | 'ready' | 'wait' };

const type = fc.constantFrom<XdsType>(...ORDER);
const name = fc.constantFrom('a', 'b', 'c');
const change = fc.record({
  ...{ type, name },
  remove: fc.boolean(),
  bad: fc.integer({ min: 0, max: 3 }).map((n) => n === 0),
  names: fc.subarray(['a', 'b', 'c']),
});
const habits: fc.Arbitrary<Habits> = fc.record({ strictness: fc.constantFrom('whole', 'parts'), legacy: fc.boolean() });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('change' as const), changes: fc.array(change, { minLength: 1, maxLength: 4 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom('subscribe' as const, 'unsubscribe' as const),
      type,
      name: fc.constantFrom('a', 'b', 'c', 'absent', '*'),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('to server' as const, 'to client' as const, 'fast' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom('slow' as const, 'reconnect' as const, 'restart' as const, 'ready' as const, 'wait' as const),
    }),
  },
);

function run<Request>(simulation: StreamSimulation<Request>, next: Step): void {
  if (next.do === 'change') simulation.change(next.changes);
  else if (next.do === 'subscribe' || next.do === 'unsubscribe') {
    // Only listeners and clusters have a wildcard.
    if (next.name !== '*' || next.type === 'CDS' || next.type === 'LDS') simulation.client.change(next.type, next.do, next.name);
  } else if (next.do === 'to server') simulation.deliverToServer();
  else if (next.do === 'to client') simulation.deliverToClient();
  else if (next.do === 'reconnect') simulation.reconnect();
  else if (next.do === 'restart') simulation.reconnect({ silent: true });
  else if (next.do === 'ready') simulation.speak();
  else if (next.do === 'wait') simulation.now += 10_000;
  else if (next.do === 'slow') simulation.slow = true;
  else {
    simulation.slow = false;
    simulation.deliverToServer();
    simulation.deliverToClient();
  }
  simulation.write();
}

/** A client that is sent a cluster by the name of `c` only when it asks for that. */
function unofferedSimulation(habits: Habits): ReturnType<typeof deltaSimulation> {
  const simulation = deltaSimulation(habits);
  simulation.view.unoffered = new Set(['c']);
  return simulation;
}

/** Whether a name that is served has to reach a client: it asked for it, or has it. */
function isDue<Request>({ view }: StreamSimulation<Request>, { type: of, name: each }: Key, state: ClientType): boolean {
  return state.covers(each) && (view.offers(of, each) || state.names.has(each) || state.known.has(each));
}

/** What the client lacks, or has and should not; `TYPE name has … should …`. */
function differences<Request>(simulation: StreamSimulation<Request>, removalsAreTold: (type: XdsType) => boolean): string[] {
  const found: string[] = [];
  for (const [of, state] of simulation.client.types) {
    const wanted = simulation.view.names(of).filter((each) => isDue(simulation, { type: of, name: each }, state));
    for (const each of wanted) {
      const should = simulation.view.get(of, each);
      const [has, bad] = [state.known.get(each)?.version, should !== undefined && isBad(should) ? ' (bad)' : ''];
      if (has !== should?.version) found.push(`${of} ${each} has ${has}, should ${should?.version}${bad}`);
    }
    if (!removalsAreTold(of)) continue;
    for (const each of state.known.keys()) if (!wanted.includes(each)) found.push(`${of} ${each} is there and should be gone`);
  }
  return found;
}

/** Everything that is served becomes good. */
function repair<Request>(simulation: StreamSimulation<Request>): void {
  for (const of of ORDER) simulation.change(simulation.view.names(of).map((each) => ({ type: of, name: each })));
}

describe.each([
  ['delta', deltaSimulation, () => true],
  ['delta, not everything offered', unofferedSimulation, () => true],
  ['state of the world', sotwSimulation, (of: XdsType) => of === 'CDS' || of === 'LDS'],
] as const)('%s', (variant, simulationOf, removalsAreTold) => {
  const simulate = (habit: Habits): StreamSimulation<never> => simulationOf(habit) as unknown as StreamSimulation<never>;

  test('every history ends with the client having what is served', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80, size: 'max' }), habits, (steps, of) => {
        const simulation = simulate(of);
        for (const each of steps) run(simulation, each);
        simulation.settle();
        // A set of an earlier stream that nobody knows is refused whole until all of it is good.
        const known = variant !== 'state of the world' || !steps.some((each) => each.do === 'reconnect' || each.do === 'restart');
        if (known) expect(differences(simulation, () => false).filter((line) => !line.endsWith('(bad)'))).toEqual([]);
        repair(simulation);
        simulation.settle();
        expect(differences(simulation, removalsAreTold)).toEqual([]);
        expect(simulation.machine.refused).toBe(false);
        expect(simulation.machine.idle).toBe(true);
      }),
      histories(1_500),
    );
  });

  test('make before break: a route never names a cluster that the client does not have', () => {
    const moves = fc.array(fc.constantFrom('move', 'to server', 'to client', ...(variant === 'state of the world' ? [] : ['reconnect'])), {
      maxLength: 80,
      size: 'max',
    });
    fc.assert(
      fc.property(moves, fc.boolean(), (steps, legacy) => {
        const simulation = simulate({ strictness: 'whole', legacy });
        for (const each of ['CDS', 'LDS'] as const) simulation.client.change(each, 'subscribe', '*');
        simulation.client.change('RDS', 'subscribe', 'r');
        let at = 0;
        for (const each of steps) {
          if (each === 'move') at = move(simulation, at);
          else if (each === 'to server') simulation.deliverToServer();
          else if (each === 'to client') simulation.deliverToClient();
          else simulation.reconnect();
          expect(dangling(simulation)).toEqual([]);
        }
      }),
      histories(400),
    );
  });
});

/** Moves the route to a new cluster and removes the old one, in one batch; some clusters come back. */
function move<Request>(simulation: StreamSimulation<Request>, from: number): number {
  const to = (from + 1) % 3;
  const gone =
    from === 0 && simulation.view.get('CDS', 'c0') === undefined ? [] : [{ type: 'CDS' as const, name: `c${from}`, remove: true }];
  simulation.change([...gone, { type: 'RDS', name: 'r', names: [`c${to}`] }, { type: 'CDS', name: `c${to}` }]);
  return to;
}

/** Clusters that the client's routes name and that it lacks. */
function dangling<Request>(simulation: StreamSimulation<Request>): string[] {
  const clusters = simulation.client.of('CDS').known;
  return [...simulation.client.of('RDS').known.values()].flatMap(({ names }) => names.filter((each) => !clusters.has(each)));
}
