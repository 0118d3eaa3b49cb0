import { describe, expect, it } from 'vitest';
import type { PeerCluster } from '../state/world.ts';
import type { TypeState } from '../xds/stream-machine.ts';
import { BACK_WITHIN_MS, ServedBundles, type TrustingStream } from './served-bundles.ts';

interface Stream extends TrustingStream {
  secrets: { started: boolean; inFlight: boolean; hasWork: boolean; refused: boolean };
}

function stream(name: string): Stream {
  const secrets = { started: true, inFlight: false, hasWork: false, refused: false };
  return { secrets, proxy: { name }, machine: { idle: true, subscription: () => secrets as unknown as TypeState } };
}

function rig(saved: readonly string[] = []) {
  const streams = new Map<string, Stream>();
  let [generation, now] = [0, 0];
  let gone: (stream: Stream) => void = () => undefined;
  const bundles = new ServedBundles<Stream>({
    streams: {
      newest: () => streams.values(),
      find: (name) => streams.get(name),
      listen: (listener) => {
        gone = listener.gone;
        return () => undefined;
      },
    },
    ...{ generation: () => generation, saved, now: () => now },
  });
  return {
    bundles,
    connect: (name: string) => {
      const made = stream(name);
      streams.set(name, made);
      return made;
    },
    end: (one: Stream) => {
      streams.delete(one.proxy.name);
      gone(one);
    },
    serve: (trustBundle: readonly string[]) => {
      generation += 1;
      bundles.served(new Map([['west', { trustDomain: 'west.hawser', trustBundle } as PeerCluster]]));
    },
    pass: (ms: number) => {
      now += ms;
    },
    account: () => {
      const [{ expected, acked, missing } = { expected: -1, acked: -1, missing: [] }] = bundles.account();
      return { expected, acked, missing };
    },
  };
}

describe('the account of bundles', () => {
  it('counts a proxy once it has every secret of the generation in which the bundle changed, or a later one', () => {
    const { connect, serve, account } = rig();
    const one = connect('one');
    serve(['a']);
    expect(account()).toEqual({ expected: 1, acked: 1, missing: [] });
    serve(['a', 'b']);
    one.secrets.inFlight = true;
    expect(account()).toEqual({ expected: 1, acked: 0, missing: ['one'] });
    one.secrets.inFlight = false;
    expect(account()).toEqual({ expected: 1, acked: 1, missing: [] });
    // Another secret, such as its own certificate, takes nothing of that back.
    one.secrets.hasWork = true;
    expect(account()).toEqual({ expected: 1, acked: 1, missing: [] });
  });

  it('does not count one that refused, nor one that has not asked yet', () => {
    const { connect, serve, account } = rig();
    connect('refuser').secrets.refused = true;
    connect('silent').secrets.started = false;
    serve(['a']);
    expect(account()).toEqual({ expected: 2, acked: 0, missing: ['refuser', 'silent'] });
  });

  it('waits for one that went away a moment ago, and for those that were there before a restart', () => {
    const { connect, end, serve, pass, account } = rig(['before']);
    const one = connect('one');
    serve(['a']);
    expect(account()).toEqual({ expected: 2, acked: 1, missing: ['before'] });
    end(one);
    expect(account()).toEqual({ expected: 2, acked: 0, missing: ['before', 'one'] });
    connect('before');
    expect(account()).toEqual({ expected: 2, acked: 1, missing: ['one'] });
    pass(BACK_WITHIN_MS + 1);
    expect(account()).toEqual({ expected: 1, acked: 1, missing: [] });
  });
});
