/**
 * Random histories against clients that warm clusters as Envoy does: no cluster ever waits for the 15 s of
 * `initial_fetch_timeout` (RELIABILITY.md 2.3, rules 1, 7 and 8), whatever was sent, lost or refused before. Only endpoints that
 * the client refused are not sent again (rule 4): it would take none at once in place of those it had, when the timer ends.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { histories } from '../../../../test/kit/random-histories.ts';
import type { Habits } from '../../../../test/kit/simulated-client.ts';
import { deltaSimulation, type StreamSimulation, sotwSimulation } from '../../../../test/kit/stream-simulation.ts';
import { HOLD_MS } from './delta-stream.ts';

type Step =
  | { readonly do: 'cluster'; readonly name: string; readonly bad: boolean }
  | { readonly do: 'endpoints' | 'remove'; readonly name: string }
  | { readonly do: 'route'; readonly to: string }
  | { readonly do: 'to server' | 'to client' | 'reconnect' | 'restart' | 'ready' | 'wait' };

const name = fc.constantFrom('a', 'b', 'c');
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('cluster' as const), name, bad: fc.integer({ min: 0, max: 7 }).map((n) => n === 0) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('endpoints' as const, 'remove' as const), name }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('route' as const), to: name }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('to server' as const, 'to client' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom('reconnect' as const, 'restart' as const, 'ready' as const, 'wait' as const) }),
  },
);

function run<Request>(simulation: StreamSimulation<Request>, next: Step): void {
  if (next.do === 'cluster') change(simulation, next.name, next.bad);
  else if (next.do === 'endpoints') {
    // Every cluster has its endpoints, and none are served without one (`unpairedClusters` of the translator).
    if (simulation.view.get('CDS', next.name) !== undefined) simulation.change([{ type: 'EDS', name: next.name }]);
  } else if (next.do === 'remove') simulation.change((['CDS', 'EDS'] as const).map((type) => ({ type, name: next.name, remove: true })));
  else if (next.do === 'route') simulation.change([{ type: 'RDS', name: 'r', names: [next.to] }]);
  else if (next.do === 'to server') simulation.deliverToServer();
  else if (next.do === 'to client') simulation.deliverToClient();
  else if (next.do === 'ready') simulation.speak();
  else if (next.do === 'wait') simulation.now += 10_000;
  else simulation.reconnect({ silent: next.do === 'restart' });
  simulation.write();
}

/** Puts a cluster, with endpoints if there were none. */
function change<Request>(simulation: StreamSimulation<Request>, cluster: string, bad: boolean): void {
  const endpoints = simulation.view.get('EDS', cluster) === undefined ? [{ type: 'EDS' as const, name: cluster }] : [];
  simulation.change([{ type: 'CDS', name: cluster, bad }, ...endpoints]);
}

describe.each([
  ['delta', deltaSimulation],
  ['state of the world', sotwSimulation],
] as const)('%s', (variant, simulationOf) => {
  test('no cluster waits for a timer', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: 'max' }), fc.boolean(), (steps, legacy) => {
        const habits: Habits = { strictness: 'parts', legacy, warms: true };
        const simulation = simulationOf(habits) as unknown as StreamSimulation<never>;
        for (const type of ['CDS', 'LDS'] as const) simulation.client.change(type, 'subscribe', '*');
        simulation.client.change('RDS', 'subscribe', 'r');
        for (const each of steps) if (each.do !== 'remove' || canBeTold(simulation, variant, steps)) run(simulation, each);
        simulation.speak();
        simulation.arrive();
        // A removal waits so long, and what is warming is removed with it.
        if (steps.some((each) => each.do === 'remove')) simulation.now += variant === 'delta' ? HOLD_MS : 0;
        simulation.arrive();
        expect([...simulation.client.warming]).toEqual([]);
      }),
      histories(1_000),
    );
  });
});

/**
 * Whether a client can be told at once that a cluster goes. While a change of clusters is under way, it is left to the timer,
 * and serves as before the change, if an earlier change was refused (delta: what a refusal may refer to stays), or if it speaks
 * state of the world, which cannot say that there are no endpoints; the unit tests have the histories in which it is told.
 */
function canBeTold<Request>(
  { machine }: StreamSimulation<Request>,
  variant: 'delta' | 'state of the world',
  steps: readonly Step[],
): boolean {
  const { inFlight, refused } = machine.subscription('CDS');
  if (variant === 'delta') return !inFlight || !refused;
  return !inFlight && !steps.some((each) => each.do === 'reconnect' || each.do === 'restart');
}
