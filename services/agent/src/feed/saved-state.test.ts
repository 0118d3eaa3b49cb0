import { expect, test } from 'vitest';
import { acceptSavedState, encodedState, type SavedState } from './saved-state.ts';

test('an encoded state reads back as what it was', () => {
  const file = {
    file: 'a "quoted" name.yaml',
    objects: [{ apiVersion: 'v1' as const, kind: 'Service' as const, metadata: { name: 'details', namespace: 'bookinfo' }, spec: {} }],
  };
  const endpoint = { address: '127.0.0.1', targetPorts: { '80': 9080 }, labels: {}, serviceAccount: 'details', health: 'HEALTHY' as const };
  const shard = {
    ...{ cluster: 'us-east', namespace: 'bookinfo', service: 'details', exported: true },
    ports: [{ port: 80, protocol: 'http' as const }],
    endpoints: [endpoint],
  };
  const state: SavedState = {
    ...{ version: 1, cluster: 'us-east', epoch: 2, config: ['YQ=='], fleet: [], moment: { epoch: 2, revision: 7 } },
    ...{ files: [file, { file: 'empty.yaml', objects: [] }], shards: [shard], failing: ['127.0.0.1|9080'], draining: [] },
    proxies: [{ role: 'sidecar', address: '127.0.0.1', fetchesUpstreams: true }],
    use: [{ namespace: 'shop', upstream: 'outbound|80||details.bookinfo.svc.clusterset.local', askedAt: 1_795_000_000_000 }],
  };
  for (const _again of [1, 2]) expect(acceptSavedState(JSON.parse([...encodedState(state)].join('')), 'us-east', 2)).toEqual(state);
});
