/** What a rotation sets in motion in its agent. */
import type { ClusterAuthority } from './authority.ts';
import type { WorkloadCertificates } from './workload-certificates.ts';

/** Who is told. */
export interface AuthorityFollower {
  readonly authority: ClusterAuthority;
  readonly identities: Pick<WorkloadCertificates, 'renewAll'>;
  /** The bundle differs: the proxies here and the other clusters have to know. */
  readonly onBundle: () => void;
  /** Anything that `account` shows differs. */
  readonly onChange: () => void;
}

/** Follows the authority until it is stopped: certificates of a new generation for every proxy, a new bundle for everybody. */
export function followAuthority({ authority, identities, onBundle, onChange }: AuthorityFollower): () => Promise<void> {
  let { active } = authority;
  let bundle = authority.trustBundle.join();
  const stopListening = authority.onChange(() => {
    const before = { active, bundle };
    active = authority.active;
    bundle = authority.trustBundle.join();
    // The bundle first: nobody is shown a certificate before it is known whom it is of.
    if (bundle !== before.bundle) onBundle();
    if (active !== before.active) identities.renewAll(active);
    onChange();
  });
  const stopWatching = authority.watch();
  return async () => {
    stopWatching();
    stopListening();
    await authority.ledger.flush();
  };
}
