/** Starts the loop that asks bundle endpoints. */
import type { Database } from '../db/database.ts';
import { BundlePoller } from './bundle-poller.ts';
import type { RotationParts } from './start-rotations.ts';
import { memberBundle } from './trust-domains-view.ts';

/** Runs until the group stops. */
export function startBundlePoller(
  database: Database,
  { fleet, log, group, allowPrivate }: RotationParts & { readonly allowPrivate: boolean },
): void {
  const { context } = fleet;
  const poller = new BundlePoller({
    ...{ database, log, allowPrivate, signal: group.signal },
    desired: () => context.distribution.desired,
    term: () => context.distribution.replica?.term,
    keyOwner: (keyId) => context.fleet.keyOwner(keyId),
    memberBundle: (trustDomain) => {
      const bundle = memberBundle(context, trustDomain);
      return 'problem' in bundle ? [] : bundle.authorities.map(({ pem }) => pem);
    },
  });
  const running = poller.run();
  group.onStop('bundle endpoints', () => running);
}
