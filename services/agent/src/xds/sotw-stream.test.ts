/** The state-of-the-world cases of RELIABILITY.md 2.5, by their numbers. */
import type { XdsType } from '@hawser/wire/messages.ts';
import { describe, expect, test } from 'vitest';
import { SotwBench } from '../../../../test/kit/sotw-bench.ts';

/** A stream with everything of one type acknowledged. */
function settled(type: XdsType, resources: string[], names: string[] = []): SotwBench {
  const bench = new SotwBench();
  bench.change(...resources.map((resource) => `${type} ${resource}`));
  bench.ask(type, names);
  bench.ack(type);
  return bench;
}

describe('subscriptions', () => {
  test('case 1: a first request for clusters without names is a wildcard, for endpoints it is nothing', () => {
    const bench = new SotwBench();
    bench.change('CDS a@1', 'CDS b@1', 'EDS a@1');
    expect(bench.ask('CDS', [])).toEqual(['CDS a@1 b@1']);
    expect(bench.ask('EDS', [])).toEqual([]);
  });

  test('case 1: a wildcard of nothing is answered once, so that a client need not wait for it', () => {
    const bench = new SotwBench();
    expect(bench.ask('CDS', [])).toEqual(['CDS']);
    expect(bench.ack('CDS')).toEqual([]);
  });

  test('case 2: an ACK is not answered', () => {
    const bench = new SotwBench();
    bench.change('CDS a@1', 'EDS a@1');
    bench.ask('CDS', []);
    bench.ask('EDS', ['a']);
    expect(bench.ack('CDS')).toEqual([]);
    expect(bench.ack('EDS')).toEqual([]);
    expect(bench.ack('EDS')).toEqual([]);
    expect(bench.stream.idle).toBe(true);
  });

  test('case 3: a NACK keeps the old version, and the next version is sent and accepted', () => {
    const bench = settled('RDS', ['r@1'], ['r']);
    const accepted = bench.state('RDS').version;
    bench.change('RDS r@2');
    expect(bench.nack('RDS', 'r is bad')).toEqual([]);
    expect(bench.state('RDS').version).toBe(accepted);
    expect(bench.stream.outcome('RDS', 'r', 2)).toEqual({ nacked: 'r is bad' });
    expect(bench.change('RDS r@3')).toEqual(['RDS r@3']);
    bench.ack('RDS');
    expect(bench.stream.outcome('RDS', 'r', 3)).toBe('acked');
    expect(bench.stream.refused).toBe(false);
  });

  test('case 4: a NACK, then other names with the same version and nonce, is not read as an ACK', () => {
    const bench = settled('EDS', ['a@1', 'b@1'], ['a']);
    bench.change('EDS a@2');
    bench.nack('EDS', 'a is bad');
    expect(bench.ask('EDS', ['a', 'b'])).toEqual(['EDS b@1']);
    expect(bench.stream.outcome('EDS', 'a', 2)).toEqual({ nacked: 'a is bad' });
    bench.ack('EDS');
    expect(bench.stream.outcome('EDS', 'a', 2)).toEqual({ nacked: 'a is bad' });
    expect(bench.stream.outcome('EDS', 'b', 1)).toBe('acked');
  });

  test('case 5: a request with an older nonce is not answered, names and all; the next one counts', () => {
    const bench = settled('EDS', ['a@1', 'b@1'], ['a']);
    const old = bench.state('EDS').nonce;
    bench.change('EDS a@2');
    expect(bench.ask('EDS', ['a', 'b'], { nonce: old })).toEqual([]);
    expect(bench.ask('EDS', ['a', 'b'], { nonce: '' })).toEqual([]);
    expect(bench.stream.subscription('EDS').inFlight).toBe(true);
    expect(bench.ack('EDS', ['a', 'b'])).toEqual(['EDS b@1']);
  });

  test('case 5: a name that an older request dropped and the next one asks for is sent again: the client may have forgotten it', () => {
    const bench = settled('EDS', ['a@1', 'b@1'], ['a', 'b']);
    const old = bench.state('EDS').nonce;
    bench.change('EDS b@2');
    expect(bench.ask('EDS', ['b'], { nonce: old })).toEqual([]);
    expect(bench.ack('EDS', ['a', 'b'])).toEqual(['EDS a@1']);
    expect(bench.ack('EDS')).toEqual([]);
  });

  test('case 6: two requests before a response make one response', () => {
    const bench = new SotwBench({ silent: true });
    bench.change('EDS a@1', 'EDS b@1');
    bench.ask('EDS', ['a']);
    bench.ask('EDS', ['a', 'b']);
    bench.stream.speak();
    expect(bench.sends()).toEqual(['EDS a@1 b@1']);
  });

  test('case 6: a second request that crossed the first response is made good by the ACK', () => {
    const bench = new SotwBench();
    bench.change('EDS a@1', 'EDS b@1');
    expect(bench.ask('EDS', ['a'])).toEqual(['EDS a@1']);
    expect(bench.ask('EDS', ['a', 'b'], { nonce: '' })).toEqual([]);
    expect(bench.ack('EDS', ['a', 'b'])).toEqual(['EDS b@1']);
  });

  test('case 7: a nonce is never used twice on a stream, across all types', () => {
    const bench = new SotwBench();
    bench.change('CDS a@1', 'EDS a@1', 'LDS l@1', 'RDS r@1', 'SDS s@1');
    for (const [type, names] of [
      ['CDS', []],
      ['EDS', ['a']],
      ['SDS', ['s']],
      ['LDS', []],
      ['RDS', ['r']],
    ] as const) {
      bench.ask(type, names);
      bench.ack(type);
    }
    bench.change('EDS a@2');
    bench.ack('EDS');
    bench.change('CDS a@2');
    expect(new Set(bench.nonces).size).toBe(bench.nonces.length);
    expect(bench.nonces.length).toBeGreaterThan(6);
  });

  test('case 8: {} → {*, A} → {A} → {} ends in nothing, which is no wildcard', () => {
    const bench = settled('CDS', ['a@1', 'b@1']);
    expect(bench.ask('CDS', ['*', 'a'])).toEqual(['CDS a@1 b@1']);
    bench.ack('CDS');
    expect(bench.ask('CDS', ['a'])).toEqual([]);
    expect(bench.change('CDS b@2')).toEqual([]);
    expect(bench.change('CDS a@2')).toEqual(['CDS a@2']);
    bench.ack('CDS');
    expect(bench.ask('CDS', [])).toEqual([]);
    expect(bench.change('CDS a@3', 'CDS b@3')).toEqual([]);
  });

  test('case 9: EDS {foo} → {foo, bar} sends bar, though nothing changed', () => {
    const bench = settled('EDS', ['foo@1', 'bar@1'], ['foo']);
    expect(bench.ask('EDS', ['foo', 'bar'])).toEqual(['EDS bar@1']);
  });

  test('case 9: a name that was dropped and is asked for again is sent again', () => {
    const bench = settled('EDS', ['foo@1', 'bar@1'], ['foo', 'bar']);
    expect(bench.ask('EDS', ['foo'])).toEqual([]);
    expect(bench.ask('EDS', ['foo', 'bar'])).toEqual(['EDS bar@1']);
  });

  test('case 10: a name that nobody has is not answered, remembered, and pushed when it appears', () => {
    const bench = new SotwBench();
    expect(bench.ask('EDS', ['later'])).toEqual([]);
    expect(bench.change('EDS later@1')).toEqual(['EDS later@1']);
  });

  test('case 11: a cluster that is removed is absent from the full set', () => {
    const bench = settled('CDS', ['a@1', 'b@1']);
    expect(bench.change('-CDS a')).toEqual(['CDS b@1']);
  });

  test('case 11: endpoints, routes and secrets that are removed are not told: absence says nothing there', () => {
    const bench = settled('EDS', ['a@1', 'b@1'], ['a', 'b']);
    expect(bench.change('-EDS a')).toEqual([]);
    expect(bench.stream.idle).toBe(true);
    expect(bench.change('EDS a@1')).toEqual(['EDS a@1']);
  });

  test('case 12: an unsubscribed name gets no further pushes', () => {
    const bench = settled('EDS', ['a@1', 'b@1'], ['a', 'b']);
    bench.ask('EDS', ['b']);
    expect(bench.change('EDS a@2')).toEqual([]);
    expect(bench.change('EDS a@3', 'EDS b@2')).toEqual(['EDS b@2']);
  });

  test('case 13: a cluster that is removed and added again gets its endpoints again, even unasked (go-control-plane #583)', () => {
    const bench = settled('CDS', ['a@1', 'b@1']);
    bench.change('EDS a@1', 'EDS b@1');
    bench.ask('EDS', ['a', 'b']);
    bench.ack('EDS');
    expect(bench.change('-CDS a')).toEqual(['CDS b@1']);
    bench.ack('CDS');
    expect(bench.change('CDS a@1')).toEqual(['CDS a@1 b@1', 'EDS a@1']);
    bench.ack('CDS');
    bench.ack('EDS');
    bench.ask('EDS', ['b']);
    expect(bench.ask('EDS', ['a', 'b'])).toEqual(['EDS a@1']);
  });

  test('case 15: names asked for twice come once', () => {
    const bench = new SotwBench();
    bench.change('EDS a@1', 'EDS b@1', 'CDS a@1');
    expect(bench.ask('EDS', ['a', 'b', 'a'])).toEqual(['EDS a@1 b@1']);
    expect(bench.ask('CDS', ['*', 'a', '*'])).toEqual(['CDS a@1']);
  });

  test('listeners that are named come as the full set of the names; one that nobody has is absent', () => {
    const bench = new SotwBench();
    bench.change('LDS a@1', 'LDS b@1', 'LDS c@1');
    expect(bench.ask('LDS', ['a', 'b'])).toEqual(['LDS a@1 b@1']);
    bench.ack('LDS');
    expect(bench.change('LDS a@2', 'LDS c@2')).toEqual(['LDS a@2 b@1']);
    const missing = new SotwBench();
    expect(missing.ask('LDS', ['nobody'])).toEqual(['LDS']);
  });
});

describe('reconnect', () => {
  /** A client with clusters and endpoints acknowledged. */
  function connected(): SotwBench {
    const bench = settled('CDS', ['a@1', 'b@1']);
    bench.change('EDS a@1', 'EDS b@1', 'EDS c@1');
    bench.ask('EDS', ['a', 'b']);
    bench.ack('EDS');
    bench.reconnect();
    return bench;
  }

  test('case 14: the same versions and names: nothing is sent, and later changes are', () => {
    const bench = connected();
    expect(bench.ask('CDS', [])).toEqual([]);
    expect(bench.ask('EDS', ['a', 'b'])).toEqual([]);
    expect(bench.stream.idle).toBe(true);
    expect(bench.change('CDS b@2', 'EDS a@2')).toEqual(['CDS a@1 b@2', 'EDS a@2 b@1']);
  });

  test('case 14: the version of before with a new name: the new name is sent', () => {
    expect(connected().ask('EDS', ['a', 'b', 'c'])).toEqual(['EDS a@1 b@1 c@1']);
  });

  test('case 26: another replica with the same content makes the same version, and nothing is sent', () => {
    const bench = connected();
    bench.view.served.clear();
    bench.change('CDS b@1', 'CDS a@1', 'EDS b@1', 'EDS a@1');
    expect([bench.ask('CDS', []), bench.ask('EDS', ['b', 'a'])]).toEqual([[], []]);
  });

  test('case 35: a version that comes before the agent knows everything is read when it does', () => {
    const bench = connected();
    const served = [...bench.view.served.values()];
    bench.view.served.clear();
    bench.reconnect({ silent: true });
    expect([bench.ask('CDS', []), bench.ask('EDS', ['a', 'b'])]).toEqual([[], []]);
    for (const { type, name, version } of served) bench.change(`${type} ${name}@${version}`);
    bench.change('EDS c@1');
    bench.stream.speak();
    expect(bench.sends()).toEqual([]);
    expect(bench.stream.idle).toBe(true);
    expect(bench.change('CDS b@2')).toEqual(['CDS a@1 b@2', 'EDS b@1']);
  });

  test('case 14: an older version: the full set, and endpoints of all clusters again', () => {
    const bench = connected();
    bench.change('CDS b@2');
    expect(bench.ask('CDS', [])).toEqual(['CDS a@1 b@2']);
    expect(bench.ask('EDS', ['a', 'b'])).toEqual(['EDS a@1 b@1']);
  });

  test('case 32: who asks for endpoints before clusters is warming some, and is told them again', () => {
    const bench = connected();
    expect(bench.ask('EDS', ['a', 'b'])).toEqual(['EDS a@1 b@1']);
    expect(bench.ack('EDS')).toEqual([]);
    expect(bench.ask('CDS', [])).toEqual([]);
  });

  test('secrets and routes are always told again', () => {
    const bench = settled('SDS', ['identity@1'], ['identity']);
    bench.reconnect();
    expect(bench.ask('SDS', ['identity'])).toEqual(['SDS identity@1']);
  });

  test('an empty set has a version, and a client with it may be told of it', () => {
    const bench = new SotwBench();
    bench.ask('CDS', []);
    bench.ack('CDS');
    expect(bench.state('CDS').version).not.toBe('');
    bench.reconnect();
    expect(bench.ask('CDS', [])).toEqual(['CDS']);
    bench.ack('CDS');
    expect(bench.change('CDS a@1')).toEqual(['CDS a@1']);
  });
});

describe('refusals', () => {
  test('a refused cluster is told in its earlier version, so that others go on', () => {
    const bench = settled('CDS', ['a@1', 'b@1']);
    expect(bench.change('CDS a@2')).toEqual(['CDS a@2 b@1']);
    expect(bench.nack('CDS', 'a is bad')).toEqual([]);
    expect(bench.change('CDS b@2')).toEqual(['CDS a@1 b@2']);
    bench.ack('CDS');
    expect(bench.stream.outcome('CDS', 'a', 2)).toEqual({ nacked: 'a is bad' });
    expect(bench.change('CDS a@3')).toEqual(['CDS a@3 b@2']);
    bench.ack('CDS');
    expect(bench.stream.refused).toBe(false);
  });

  test('case 32: a cluster that is told in its earlier version again takes its endpoints along: the client may have taken the later', () => {
    const bench = settled('CDS', ['a@1', 'b@1']);
    bench.change('EDS a@1', 'EDS b@1');
    bench.ask('EDS', ['a', 'b']);
    bench.ack('EDS');
    bench.change('CDS a@2', 'CDS b@2');
    bench.ack('EDS');
    expect(bench.nack('CDS', 'b is bad')).toEqual(['CDS a@2 b@1', 'EDS a@1 b@1']);
    bench.ack('EDS');
    expect(bench.ack('CDS')).toEqual(['CDS a@2 b@2', 'EDS b@1']);
  });

  test('a refused new cluster is left out, and removing it tells nothing', () => {
    const bench = settled('CDS', ['a@1']);
    bench.change('CDS bad@1');
    bench.nack('CDS');
    expect(bench.change('CDS a@2')).toEqual(['CDS a@2']);
    bench.ack('CDS');
    bench.change('-CDS bad');
    bench.ack('CDS');
    expect(bench.stream.refused).toBe(false);
    expect(bench.change('CDS a@3')).toEqual(['CDS a@3']);
  });

  test('of several changed clusters, the bad one is found and the others are told', () => {
    const bench = settled('CDS', ['a@1', 'b@1', 'c@1']);
    bench.change('CDS a@2', 'CDS b@2', 'CDS c@2');
    expect(bench.nack('CDS')).toEqual(['CDS a@2 b@2 c@1']);
    expect(bench.nack('CDS')).toEqual(['CDS a@1 b@1 c@2']);
    expect(bench.ack('CDS')).toEqual(['CDS a@2 b@1 c@2']);
    expect(bench.ack('CDS')).toEqual(['CDS a@2 b@2 c@2']);
    expect(bench.nack('CDS', 'b is bad')).toEqual([]);
    expect(bench.stream.outcome('CDS', 'b', 2)).toEqual({ nacked: 'b is bad' });
    expect(bench.change('CDS a@3')).toEqual(['CDS a@3 b@1 c@2']);
  });

  test('a refusal by a client with an unknown past leaves nothing out: it keeps its set until a version is good', () => {
    const bench = settled('CDS', ['a@1', 'b@1']);
    bench.reconnect();
    bench.change('CDS a@2');
    expect(bench.ask('CDS', [])).toEqual(['CDS a@2 b@1']);
    expect(bench.nack('CDS', 'a is bad')).toEqual([]);
    expect(bench.change('CDS b@2')).toEqual(['CDS a@2 b@2']);
    bench.nack('CDS', 'a is bad');
    expect(bench.change('CDS a@3')).toEqual(['CDS a@3 b@2']);
    expect(bench.ack('CDS')).toEqual([]);
    expect(bench.stream.refused).toBe(false);
    expect(bench.stream.outcome('CDS', 'b', 3)).toBe('acked');
  });

  test('a client with an unknown past that asks for less than it refused is told that', () => {
    const bench = settled('LDS', ['a@1', 'b@1'], ['a', 'b']);
    bench.change('LDS a@2');
    bench.reconnect();
    bench.ask('LDS', ['a', 'b']);
    bench.nack('LDS', 'a is bad');
    expect(bench.change('-LDS b')).toEqual(['LDS a@2']);
    expect(bench.nack('LDS', 'a is bad')).toEqual([]);
    expect(bench.ask('LDS', ['b'])).toEqual(['LDS']);
    expect(bench.ack('LDS')).toEqual([]);
  });
});
