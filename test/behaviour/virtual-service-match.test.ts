/** VirtualService: which requests a rule is for. */
import { expect } from 'vitest';
import { behavioursOf } from './kit/behaviour.ts';
import { policy } from './kit/rig.ts';

const behaviour = behavioursOf({ net: 10 });

const SUBSETS = policy('DestinationRule', {
  host: 'reviews',
  subsets: ['v1', 'v2', 'v3'].map((version) => ({ name: version, labels: { version } })),
});

/** Requests that match go to v2, all others to v1. */
function matching(match: unknown): ReturnType<typeof policy>[] {
  const to = (subset: string): unknown => [{ destination: { host: 'reviews', subset } }];
  return [SUBSETS, policy('VirtualService', { hosts: ['reviews'], http: [{ match: [match], route: to('v2') }, { route: to('v1') }] })];
}

behaviour('VS-001', 'http.match.uri.exact', 'a path is compared whole, without its query', async (rig) => {
  await rig.policies(matching({ uri: { exact: '/exact' } }));
  expect((await rig.call({ path: '/exact' })).servedBy).toBe('reviews-v2');
  expect((await rig.call({ path: '/exact?q=1' })).servedBy).toBe('reviews-v2');
  expect((await rig.call({ path: '/exact/more' })).servedBy).toBe('reviews-v1');
});

behaviour('VS-002', 'http.match.uri.prefix', 'a path is compared by its beginning, in the middle of a word too', async (rig) => {
  await rig.policies(matching({ uri: { prefix: '/pre' } }));
  expect((await rig.call({ path: '/prefixed' })).servedBy).toBe('reviews-v2');
  expect((await rig.call({ path: '/Pre' })).servedBy).toBe('reviews-v1');
});
