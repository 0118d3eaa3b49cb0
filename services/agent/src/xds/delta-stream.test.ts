/** The delta cases of RELIABILITY.md 2.5, by their numbers, and the ADS cases that are decided by the state machine. */
import type { XdsType } from '@hawser/wire/messages.ts';
import { describe, expect, test } from 'vitest';
import { DeltaBench } from '../../../../test/kit/delta-bench.ts';
import { HOLD_MS } from './delta-stream.ts';

/** A stream with everything of one type acknowledged. */
function settled(type: XdsType, names: string[], subscribe: string[] = []): DeltaBench {
  const bench = new DeltaBench();
  bench.change(...names.map((name) => `${type} ${name}@1`));
  bench.subscribe(type, ...subscribe);
  bench.ack(type);
  return bench;
}

describe('subscriptions', () => {
  test('case 17: a first request without names is a wildcard for clusters and listeners only', () => {
    const bench = new DeltaBench();
    bench.change('CDS a@1', 'CDS b@1', 'EDS a@1');
    expect(bench.subscribe('CDS')).toEqual(['CDS +a@1 +b@1']);
    expect(bench.subscribe('EDS')).toEqual([]);
    bench.ack('CDS');
    expect(bench.change('CDS c@1', 'EDS a@2')).toEqual(['CDS +c@1']);
  });

  test('case 17: a wildcard of nothing is answered once, so that a client need not wait for it', () => {
    const bench = new DeltaBench();
    expect(bench.subscribe('CDS')).toEqual(['CDS']);
    expect(bench.ack('CDS')).toEqual([]);
  });

  test('case 18: A, also covered by *, is answered when it is unsubscribed', () => {
    const bench = settled('CDS', ['a', 'b'], ['*', 'a', 'x']);
    expect(bench.ask('CDS', { unsubscribe: ['a'] })).toEqual(['CDS +a@1']);
    bench.ack('CDS');
    expect(bench.ask('CDS', { unsubscribe: ['x'] })).toEqual(['CDS -x']);
    bench.ack('CDS');
    expect(bench.change('CDS a@2')).toEqual(['CDS +a@2']);
  });

  test('case 19: without * the named ones stay', () => {
    const bench = settled('CDS', ['a', 'b'], ['*', 'a']);
    expect(bench.ask('CDS', { unsubscribe: ['*'] })).toEqual([]);
    expect(bench.change('CDS a@2', 'CDS b@2')).toEqual(['CDS +a@2']);
  });

  test('case 20: nothing left is nothing, and an empty request later is no wildcard', () => {
    const bench = settled('CDS', ['a', 'b'], ['a']);
    bench.ask('CDS', { unsubscribe: ['a'] });
    expect(bench.ask('CDS')).toEqual([]);
    expect(bench.change('CDS a@2', 'CDS b@2')).toEqual([]);
  });

  test('case 20: the legacy wildcard can be unsubscribed', () => {
    const bench = settled('CDS', ['a', 'b']);
    bench.ask('CDS', { subscribe: ['a'], unsubscribe: ['*'] });
    bench.ack('CDS');
    expect(bench.change('CDS a@2', 'CDS b@2')).toEqual(['CDS +a@2']);
  });

  test('case 21: a subscription that comes with a stale nonce is honoured, and the response in flight stays so', () => {
    const bench = new DeltaBench();
    bench.change('EDS a@1', 'EDS b@1');
    bench.subscribe('EDS', 'a');
    expect(bench.ask('EDS', { subscribe: ['b'], nonce: 'stale' })).toEqual([]);
    expect(bench.ack('EDS')).toEqual(['EDS +b@1']);
  });

  test('case 22: what is subscribed again is sent again, at the same version', () => {
    const bench = settled('EDS', ['a', 'b'], ['a', 'b']);
    expect(bench.subscribe('EDS', 'a')).toEqual(['EDS +a@1']);
  });

  test('case 23: an unknown name is unsubscribed without an answer', () => {
    const bench = settled('EDS', ['a'], ['a']);
    expect(bench.ask('EDS', { unsubscribe: ['phantom'] })).toEqual([]);
    const wildcard = settled('CDS', ['a']);
    expect(wildcard.ask('CDS', { unsubscribe: ['phantom'] })).toEqual([]);
  });

  test('case 24: a missing name is told as removed once, stays subscribed and is pushed when it appears', () => {
    const bench = new DeltaBench();
    expect(bench.subscribe('EDS', 'later')).toEqual(['EDS -later']);
    expect(bench.ack('EDS')).toEqual([]);
    expect(bench.change('EDS later@1')).toEqual(['EDS +later@1']);
  });

  test('unsubscribed names get nothing more, even while a response is in flight', () => {
    const bench = new DeltaBench();
    bench.change('EDS a@1', 'EDS b@1');
    bench.subscribe('EDS', 'a', 'b');
    bench.change('EDS a@2', 'EDS b@2');
    bench.ask('EDS', { unsubscribe: ['a'] });
    expect(bench.ack('EDS')).toEqual(['EDS +b@2']);
  });
});

describe('reconnect', () => {
  test('case 25: only what differs is sent; what is gone is removed', () => {
    const bench = new DeltaBench();
    bench.change('CDS same@1', 'CDS newer@2', 'CDS unseen@1', 'LDS l@1', 'RDS r@1');
    expect(bench.reconnect('CDS', ['*'], { same: '1', newer: '1', gone: '1' })).toEqual(['CDS +newer@2 +unseen@1']);
    bench.reconnect('LDS', [], { l: '1' });
    bench.reconnect('RDS', ['r'], { r: '1' });
    expect(bench.ack('CDS')).toEqual(['CDS -gone']);
  });

  test('case 26: the same hashes from another replica: nothing is sent', () => {
    const bench = new DeltaBench();
    bench.change('CDS a@1', 'EDS a@1', 'LDS l@1', 'RDS r@1');
    expect(bench.reconnect('CDS', [], { a: '1' })).toEqual([]);
    expect(bench.reconnect('EDS', ['a'], { a: '1' })).toEqual([]);
    expect(bench.reconnect('LDS', ['*'], { l: '1' })).toEqual([]);
    expect(bench.reconnect('RDS', ['r'], { r: '1' })).toEqual([]);
    expect(bench.stream.idle).toBe(true);
  });

  test('versions of a later request claim nothing', () => {
    const bench = settled('EDS', ['a', 'b'], ['a']);
    expect(bench.reconnect('EDS', ['b'], { b: '1' })).toEqual(['EDS +b@1']);
  });

  test('clusters that are gone wait for the routes, which have not even asked yet', () => {
    const bench = new DeltaBench();
    bench.change('CDS a@1', 'LDS l@1', 'RDS r@2');
    expect(bench.reconnect('CDS', [], { a: '1', gone: '1' })).toEqual([]);
    expect(bench.reconnect('LDS', [], { l: '1' })).toEqual([]);
    expect(bench.reconnect('RDS', ['r'], { r: '1' })).toEqual(['RDS +r@2']);
    expect(bench.ack('RDS')).toEqual(['CDS -gone']);
  });

  test('case 32: endpoints of a changed cluster are sent even if the client claims them', () => {
    const bench = new DeltaBench();
    bench.change('CDS a@2', 'CDS b@1', 'EDS a@1', 'EDS b@1');
    expect(bench.reconnect('CDS', [], { a: '1', b: '1' })).toEqual(['CDS +a@2']);
    expect(bench.reconnect('EDS', ['a', 'b'], { a: '1', b: '1' })).toEqual(['EDS +a@1']);
  });

  test('case 32: who asks for endpoints before clusters is warming some, and is told them whatever it claims', () => {
    const bench = new DeltaBench();
    bench.change('CDS a@2', 'EDS a@1', 'EDS b@1');
    expect(bench.reconnect('EDS', ['a', 'b'], { a: '1', b: '1' })).toEqual(['EDS +a@1 +b@1']);
    expect(bench.ack('EDS')).toEqual([]);
    expect(bench.reconnect('CDS', [], { a: '2' })).toEqual([]);
  });

  test('case 33: secrets of a changed listener are sent even if the client claims them (G4)', () => {
    const bench = new DeltaBench();
    bench.change('LDS l@2@identity', 'SDS identity@1', 'SDS other@1');
    expect(bench.reconnect('SDS', ['identity', 'other'], { identity: '1', other: '1' })).toEqual([]);
    expect(bench.reconnect('LDS', [], { l: '1' })).toEqual(['LDS +l@2', 'SDS +identity@1']);
  });
});

describe('pushes', () => {
  test('case 27: one of a thousand', () => {
    const names = Array.from({ length: 1_000 }, (_, index) => `c${index}`);
    const bench = settled('EDS', names, names);
    expect(bench.change('EDS c500@2')).toEqual(['EDS +c500@2']);
  });

  test('rule 5: changes coalesce to the latest while a response is in flight', () => {
    const bench = settled('EDS', ['a', 'b'], ['a', 'b']);
    expect(bench.change('EDS a@2')).toEqual(['EDS +a@2']);
    expect(bench.change('EDS a@3')).toEqual([]);
    expect(bench.change('EDS a@4', 'EDS b@2')).toEqual([]);
    expect(bench.ack('EDS')).toEqual(['EDS +a@4 +b@2']);
    expect(bench.ack('EDS')).toEqual([]);
  });

  test('what changed back while a response was in flight is not sent', () => {
    const bench = settled('EDS', ['a', 'b'], ['a', 'b']);
    bench.change('EDS a@2');
    bench.change('EDS b@2');
    bench.change('EDS b@1');
    expect(bench.ack('EDS')).toEqual([]);
  });

  test('case 29: nonces are new with each response of a stream; another answers nothing', () => {
    const bench = settled('EDS', ['a'], ['a']);
    bench.change('EDS a@2');
    const nonce = bench.last.get('EDS');
    bench.change('EDS a@3');
    expect(bench.ask('EDS')).toEqual([]);
    expect(bench.ask('EDS', { nonce: 'other' })).toEqual([]);
    expect(bench.ack('EDS')).toEqual(['EDS +a@3']);
    expect(bench.last.get('EDS')).not.toBe(nonce);
  });

  test('a silent stream keeps what is asked and answers when the agent is ready', () => {
    const bench = new DeltaBench(true);
    expect(bench.subscribe('CDS')).toEqual([]);
    expect(bench.change('CDS a@1')).toEqual([]);
    bench.stream.speak();
    expect(bench.sends()).toEqual(['CDS +a@1']);
  });

  test('a response has a size; the rest follows its ACK', () => {
    const bench = new DeltaBench();
    const bytes = new Uint8Array(2 * 1024 * 1024);
    for (const name of ['a', 'b', 'c']) bench.served.set(`EDS ${name}`, { type: 'EDS', name, version: '1', bytes });
    expect(bench.subscribe('EDS', 'a', 'b', 'c')).toEqual(['EDS +a@1']);
    expect(bench.ack('EDS')).toEqual(['EDS +b@1']);
    expect(bench.ack('EDS')).toEqual(['EDS +c@1']);
    expect(bench.ack('EDS')).toEqual([]);
  });
});

describe('refusals', () => {
  test('case 28: what was refused is not sent again; others and later versions are', () => {
    const bench = settled('CDS', ['a', 'b']);
    bench.change('CDS a@2');
    expect(bench.nack('CDS', 'a is bad')).toEqual([]);
    expect(bench.stream.outcome('CDS', 'a', 2)).toEqual({ nacked: 'a is bad' });
    expect(bench.change('CDS b@2')).toEqual(['CDS +b@2']);
    expect(bench.ack('CDS')).toEqual([]);
    expect(bench.change('CDS a@3')).toEqual(['CDS +a@3']);
    bench.ack('CDS');
    expect(bench.stream.outcome('CDS', 'a', 4)).toBe('acked');
    expect(bench.stream.subscription('CDS').refused).toBe(false);
  });

  test('case 28: of a refused batch, the halves are tried apart until the bad one stands alone', () => {
    const bench = settled('EDS', ['a', 'b', 'c', 'd'], ['a', 'b', 'c', 'd']);
    expect(bench.change('EDS a@2', 'EDS b@2', 'EDS c@2', 'EDS d@2')).toEqual(['EDS +a@2 +b@2 +c@2 +d@2']);
    expect(bench.nack('EDS')).toEqual(['EDS +a@2 +b@2']);
    expect(bench.stream.outcome('EDS', 'd', 2)).toBe('pending');
    expect(bench.ack('EDS')).toEqual(['EDS +c@2 +d@2']);
    expect(bench.nack('EDS')).toEqual(['EDS +c@2']);
    expect(bench.nack('EDS', 'c is bad')).toEqual(['EDS +d@2']);
    expect(bench.ack('EDS')).toEqual([]);
    expect(['a', 'b', 'c', 'd'].map((name) => bench.stream.outcome('EDS', name, 2))).toEqual([
      'acked',
      'acked',
      { nacked: 'c is bad' },
      'acked',
    ]);
  });

  test('a rollback to the version before is sent, because nobody knows what the client kept', () => {
    const bench = settled('RDS', ['r'], ['r']);
    bench.change('RDS r@2');
    bench.nack('RDS');
    expect(bench.change('RDS r@1')).toEqual(['RDS +r@1']);
    bench.ack('RDS');
    expect(bench.stream.subscription('RDS').refused).toBe(false);
  });

  test('a NACK with a stale nonce says nothing about the response in flight', () => {
    const bench = settled('RDS', ['r'], ['r']);
    bench.change('RDS r@2');
    bench.ask('RDS', { nonce: 'stale', error: 'old' });
    expect(bench.stream.subscription('RDS').refused).toBe(false);
    expect(bench.stream.outcome('RDS', 'r', 2)).toBe('pending');
  });
});

/** A proxy as Envoy is: all types subscribed and acknowledged. */
function running(): DeltaBench {
  const bench = new DeltaBench();
  bench.change('CDS a@1', 'EDS a@1', 'SDS t@1', 'LDS l@1@r', 'RDS r@1');
  bench.subscribe('CDS');
  bench.ack('CDS');
  for (const [type, name] of [
    ['EDS', 'a'],
    ['SDS', 't'],
    ['RDS', 'r'],
  ] as const) {
    bench.subscribe(type, name);
    bench.ack(type);
  }
  bench.subscribe('LDS');
  bench.ack('LDS');
  return bench;
}

describe('order', () => {
  test('case 32: a changed cluster takes its endpoints and secrets along', () => {
    expect(running().change('CDS a@2@t')).toEqual(['CDS +a@2', 'EDS +a@1', 'SDS +t@1']);
  });

  test('case 33: a changed listener takes its routes along', () => {
    expect(running().change('LDS l@2@r')).toEqual(['LDS +l@2', 'RDS +r@1']);
  });

  test('case 30: routes wait for the ACK of a cluster that is new', () => {
    const bench = running();
    expect(bench.change('RDS r@2', 'CDS b@1', 'EDS b@1')).toEqual(['CDS +b@1']);
    expect(bench.subscribe('EDS', 'b')).toEqual(['EDS +b@1']);
    expect(bench.ack('EDS')).toEqual([]);
    expect(bench.ack('CDS')).toEqual(['RDS +r@2']);
  });

  test('case 30: and for a cluster that is new but could not be sent yet', () => {
    const bench = running();
    bench.change('CDS a@2');
    expect(bench.change('RDS r@2', 'CDS b@1')).toEqual([]);
    expect(bench.ack('CDS')).toEqual(['CDS +b@1']);
    expect(bench.ack('CDS')).toEqual(['RDS +r@2']);
  });

  test('case 30: but not for ever', () => {
    const bench = running();
    bench.change('RDS r@2', 'CDS b@1');
    expect(bench.stream.wakeAt).toBe(HOLD_MS);
    expect(bench.wake()).toEqual(['RDS +r@2']);
    expect(bench.stream.wakeAt).toBeUndefined();
  });

  test('routes do not wait for changed clusters', () => {
    expect(running().change('CDS a@2', 'RDS r@2')).toEqual(['CDS +a@2', 'EDS +a@1', 'RDS +r@2']);
  });

  test('case 31: a cluster goes when the routes that left it are acknowledged, its endpoints after it', () => {
    const bench = running();
    expect(bench.change('-CDS a', '-EDS a', 'RDS r@2')).toEqual(['RDS +r@2']);
    expect(bench.ack('RDS')).toEqual(['CDS -a']);
    expect(bench.ack('CDS')).toEqual(['EDS -a']);
  });

  test('case 31: while the routes are refused, what the client still refers to stays', () => {
    const bench = running();
    bench.change('-CDS a', 'RDS r@2');
    expect(bench.nack('RDS')).toEqual([]);
    bench.now += 10 * HOLD_MS;
    expect(bench.sends()).toEqual([]);
    expect(bench.change('RDS r@3')).toEqual(['RDS +r@3']);
    expect(bench.ack('RDS')).toEqual(['CDS -a']);
  });

  test('case 31: a client that does not answer delays a removal, but not for ever', () => {
    const bench = running();
    bench.change('-CDS a', 'RDS r@2');
    expect(bench.wake()).toEqual(['CDS -a']);
  });

  test('a cluster that comes back before it went is not touched', () => {
    const bench = running();
    bench.change('-CDS a', 'RDS r@2');
    bench.change('CDS a@1');
    expect(bench.ack('RDS')).toEqual([]);
  });

  test('a listener that is replaced under another name goes in the same response', () => {
    expect(running().change('-LDS l', 'LDS m@1@r')).toEqual(['LDS +m@1 -l']);
  });
});
