/** State of the world: the order of changes, and what goes along with them. The cases of RELIABILITY.md 2.5, by their numbers. */
import { describe, expect, test } from 'vitest';
import { SotwBench } from '../../../../test/kit/sotw-bench.ts';
import { HOLD_MS } from './delta-stream.ts';

/** A proxy as Envoy is: all types subscribed and acknowledged. */
function running(): SotwBench {
  const bench = new SotwBench();
  bench.change('CDS a@1', 'EDS a@1', 'SDS t@1', 'LDS l@1@r', 'RDS r@1');
  for (const [type, names] of [
    ['CDS', []],
    ['EDS', ['a']],
    ['SDS', ['t']],
    ['RDS', ['r']],
    ['LDS', []],
  ] as const) {
    bench.ask(type, names);
    bench.ack(type);
  }
  return bench;
}

describe('order', () => {
  test('case 30: routes wait for the ACK of a cluster that is new', () => {
    const bench = running();
    expect(bench.change('RDS r@2', 'CDS b@1', 'EDS b@1')).toEqual(['CDS a@1 b@1']);
    expect(bench.ask('EDS', ['a', 'b'])).toEqual(['EDS b@1']);
    expect(bench.ack('CDS')).toEqual(['RDS r@2']);
  });

  test('case 30: but not for ever', () => {
    const bench = running();
    bench.change('RDS r@2', 'CDS b@1');
    expect(bench.stream.wakeAt).toBe(HOLD_MS);
    expect(bench.wake()).toEqual(['RDS r@2']);
  });

  test('case 31: a cluster stays in the set until the routes that left it are acknowledged', () => {
    const bench = running();
    expect(bench.change('-CDS a', '-EDS a', 'RDS r@2', 'CDS b@1')).toEqual(['CDS a@1 b@1']);
    expect(bench.ack('CDS')).toEqual(['RDS r@2']);
    expect(bench.ack('RDS')).toEqual(['CDS b@1']);
    expect(bench.ack('CDS')).toEqual([]);
    expect(bench.stream.idle).toBe(true);
  });

  test('case 31: while the routes are refused, the cluster stays in the set', () => {
    const bench = running();
    bench.change('-CDS a', 'RDS r@2');
    bench.nack('RDS');
    bench.now += 10 * HOLD_MS;
    expect(bench.sends()).toEqual([]);
    expect(bench.change('CDS b@1')).toEqual(['CDS a@1 b@1']);
  });

  test('case 32: a changed cluster takes its endpoints and secrets along', () => {
    expect(running().change('CDS a@2@t')).toEqual(['CDS a@2', 'EDS a@1', 'SDS t@1']);
  });

  test('case 33: a changed listener takes its routes and secrets along', () => {
    expect(running().change('LDS l@2@r@t')).toEqual(['LDS l@2', 'SDS t@1', 'RDS r@1']);
  });

  test('a cluster that goes while it is warming gets no endpoints, so that the client need not wait 15 s', () => {
    const bench = running();
    expect(bench.change('CDS b@1', 'EDS b@1')).toEqual(['CDS a@1 b@1']);
    expect(bench.change('-CDS b', '-EDS b')).toEqual([]);
    expect(bench.ask('EDS', ['a', 'b'])).toEqual(['EDS b@none']);
    bench.ack('EDS');
    expect(bench.ack('CDS')).toEqual(['CDS a@1']);
  });

  test('a cluster that the client had is never told to be without endpoints', () => {
    const bench = running();
    bench.change('-CDS a', '-EDS a', 'RDS r@2');
    bench.ask('EDS', []);
    expect(bench.ask('EDS', ['a'])).toEqual([]);
  });

  test('rule 5: changes coalesce to the latest while a response is in flight', () => {
    const bench = running();
    expect(bench.change('EDS a@2')).toEqual(['EDS a@2']);
    for (let version = 3; version < 10; version += 1) expect(bench.change(`EDS a@${version}`)).toEqual([]);
    expect(bench.ack('EDS')).toEqual(['EDS a@9']);
  });

  test('a full set is never cut: what is absent would count as deleted', () => {
    const bench = new SotwBench();
    const bytes = new Uint8Array(2 * 1024 * 1024);
    for (const name of ['a', 'b', 'c']) bench.view.served.set(`CDS ${name}`, { type: 'CDS', name, version: '1', bytes });
    for (const name of ['a', 'b']) bench.view.served.set(`EDS ${name}`, { type: 'EDS', name, version: '1', bytes });
    expect(bench.ask('CDS', [])).toEqual(['CDS a@1 b@1 c@1']);
    expect(bench.ask('EDS', ['a', 'b'])).toEqual(['EDS a@1']);
    expect(bench.ack('EDS')).toEqual(['EDS b@1']);
  });
});
