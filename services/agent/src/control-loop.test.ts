import type { EndpointShard } from '@hawser/model/endpoint-shard.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { beforeEach, describe, expect, it } from 'vitest';
import { ControlLoop, type Moment } from './control-loop.ts';
import type { Change } from './snapshot/resource.ts';
import { type Applied, SnapshotStore } from './snapshot/snapshot-store.ts';
import { type Dirty, Federation } from './state/federation.ts';
import { PolicyProbation } from './state/policy-probation.ts';
import type { World } from './state/world.ts';
import type { Translator } from './translate/translator.ts';

const member = (name: string, epoch = 1) => ({
  ...{
    name,
    epoch,
    signingKey: `key-${name}`,
    region: name,
    zone: '',
    provider: '',
    network: name,
    labels: {},
    trustDomain: `${name}.hawser`,
  },
});
const policy = (name: string, spec = 'good'): Resource => ({
  apiVersion: 'v1',
  kind: 'VirtualService',
  metadata: { name, namespace: 'ns' },
  spec,
});
const policies = (...all: Resource[]): ReadonlyMap<string, Resource> =>
  new Map(all.map((one) => [`VirtualService/ns/${one.metadata.name}`, one]));
const shard = (cluster: string, service: string, ...addresses: string[]): EndpointShard => ({
  ...{ cluster, namespace: 'ns', service, exported: true, ports: [{ port: 80, protocol: 'http' }] },
  endpoints: addresses.map((address) => ({ address, targetPorts: { '80': 80 }, labels: {}, serviceAccount: 'default', health: 'HEALTHY' })),
});

/** Renders the world as one text per service and one for the policies; a spec or address named `bad` cannot be rendered. */
class FakeTranslator implements Translator {
  readonly updates: { readonly world: World; readonly dirty: Dirty }[] = [];

  update(world: World, dirty: Dirty): Change[] {
    this.updates.push({ world, dirty });
    const rules = [...world.policies.values()].map((one) => `${one.metadata.name}=${String(one.spec)}`).join();
    const keys = dirty === 'all' ? [...world.shards.keys()] : [...dirty.services];
    const texts = keys.map(
      (key) => [key, [...(world.shards.get(key)?.values() ?? [])].flatMap((one) => one.endpoints.map((e) => e.address)).join()] as const,
    );
    if (rules.includes('bad') || texts.some(([, text]) => text.includes('bad'))) throw new Error('invariant-broken');
    return [['policies', rules] as const, ...texts].map(([name, version]) => ({
      layer: 'sidecar',
      put: { type: 'EDS', name, version, bytes: Buffer.from('') },
    }));
  }

  attach(): Change[] {
    return [];
  }

  detach(): Change[] {
    return [];
  }

  problems(): [] {
    return [];
  }

  tcpServices(): [] {
    return [];
  }
}

describe('ControlLoop', () => {
  let translator: FakeTranslator;
  let federation: Federation;
  let store: SnapshotStore;
  let loop: ControlLoop;
  let revisions: [Moment, Applied][];
  let problems: readonly string[];
  const text = (name: string): string | undefined => store.get('sidecar', 'EDS', name)?.version;
  const configure = (revision: number, wanted: ReadonlyMap<string, Resource>, members = [member('a'), member('b')]): void => {
    loop.configure({ roster: { members }, policies: wanted, moment: { epoch: 1, revision } });
    loop.run();
  };

  beforeEach(() => {
    translator = new FakeTranslator();
    federation = new Federation({ name: 'a', region: 'a', zone: '', trustDomain: 'a.hawser' });
    store = new SnapshotStore();
    revisions = [];
    problems = [];
    loop = new ControlLoop({
      ...{ translator, federation, store },
      onRevision: (moment, applied) => revisions.push([moment, applied]),
      probation: new PolicyProbation(),
      onProblems: (all) => {
        problems = all.map(({ message }) => message);
      },
      onRoster: () => undefined,
      onChange: () => undefined,
    });
  });

  const becomeReady = (): void => {
    loop.setOwnShards(new Map([['ns/s', shard('a', 's', '10.0.0.1')]]));
    loop.fulfil('fleet');
    configure(1, policies(policy('one')));
  };

  it('compiles nothing before registry, configuration and fleet are known, in any order', () => {
    loop.setOwnShards(new Map([['ns/s', shard('a', 's', '10.0.0.1')]]));
    loop.run();
    configure(1, policies());
    expect(translator.updates).toHaveLength(0);
    expect(loop.missing).toEqual(['fleet']);
    loop.fulfil('fleet');
    loop.run();
    expect(loop.ready).toBe(true);
    expect(text('ns/s')).toBe('10.0.0.1');
    expect(revisions.map(([moment]) => moment.revision)).toEqual([1]);
  });

  it('compiles an endpoint change alone, and several of one turn together', async () => {
    becomeReady();
    federation.setShard('b', 'ns/s', shard('b', 's', '10.0.1.1'));
    loop.wake();
    federation.setShard('b', 'ns/t', shard('b', 't', '10.0.1.2'));
    loop.wake();
    await new Promise((resolve) => setImmediate(resolve));
    expect(translator.updates.slice(1).map(({ dirty }) => dirty)).toEqual([{ services: new Set(['ns/s', 'ns/t']) }]);
    expect(text('ns/s')).toBe('10.0.0.1,10.0.1.1');
  });

  it('accounts for each revision, those that change nothing too, and once only', () => {
    becomeReady();
    const same = federation.policies;
    configure(2, same);
    configure(2, same);
    expect(revisions.map(([{ revision }, { changes }]) => [revision, changes.length])).toEqual([
      [1, 2],
      [2, 0],
    ]);
    expect(loop.moment).toEqual({ epoch: 1, revision: 2 });
  });

  it('leaves out the policy that breaks, keeps what it was before, and takes the others', () => {
    becomeReady();
    const good = policy('two');
    configure(2, policies(policy('one', 'bad'), good));
    expect(text('policies')).toBe('one=good,two=good');
    expect(problems.some((problem) => problem.includes('VirtualService/ns/one is kept as it was'))).toBe(true);
    expect(revisions.at(-1)?.[0].revision).toBe(2);
    configure(3, policies(policy('one', 'better'), good));
    expect(text('policies')).toBe('one=better,two=good');
    expect(problems).toEqual([]);
  });

  it('leaves out the service that breaks, and takes the others', () => {
    becomeReady();
    federation.setShard('b', 'ns/s', shard('b', 's', 'bad'));
    federation.setShard('b', 'ns/t', shard('b', 't', '10.0.1.2'));
    loop.run();
    expect(text('ns/s')).toBe('10.0.0.1');
    expect(text('ns/t')).toBe('10.0.1.2');
    expect(problems.some((problem) => problem.includes('endpoints of ns/s'))).toBe(true);
  });

  it('is not stopped by a service that breaks: neither at its start nor when policies change', () => {
    federation.setShard('b', 'ns/t', shard('b', 't', 'bad'));
    becomeReady();
    expect(loop.ready).toBe(true);
    expect(text('ns/s')).toBe('10.0.0.1');
    expect(text('ns/t')).toBeUndefined();
    configure(2, policies(policy('two')));
    expect(text('policies')).toBe('two=good');
    expect(loop.moment?.revision).toBe(2);
    federation.setShard('b', 'ns/t', shard('b', 't', '10.0.1.2'));
    loop.run();
    expect(text('ns/t')).toBe('10.0.1.2');
  });

  it('is not ready, and accounts for nothing, while nothing can be compiled', () => {
    const update = translator.update.bind(translator);
    translator.update = () => {
      throw new Error('no authority');
    };
    becomeReady();
    expect(loop.ready).toBe(false);
    expect(revisions).toEqual([]);
    translator.update = update;
    loop.run();
    expect(loop.ready).toBe(true);
    expect(revisions.map(([{ revision }]) => revision)).toEqual([1]);
  });

  it('forgets a cluster that left, or joined again, and keeps the one that is only silent', () => {
    becomeReady();
    federation.setShard('b', 'ns/s', shard('b', 's', '10.0.1.1'));
    configure(2, policies(), [member('a'), member('b')]);
    expect(text('ns/s')).toBe('10.0.0.1,10.0.1.1');
    configure(3, policies(), [member('a')]);
    expect(text('ns/s')).toBe('10.0.0.1');
    federation.setShard('b', 'ns/s', shard('b', 's', '10.0.1.1'));
    configure(4, policies(), [member('a'), member('b', 2)]);
    configure(5, policies(), [member('a'), member('b', 3)]);
    expect(text('ns/s')).toBe('10.0.0.1');
  });
});
