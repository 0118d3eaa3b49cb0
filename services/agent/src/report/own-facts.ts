/** What a cluster's own agent says of it. Pure. */
import type { ClusterFacts, LocalDrain } from '@hawser/model/fleet.ts';

/** The facts of the own cluster. */
export function ownFacts(
  { trustBundle, severed }: { readonly trustBundle: readonly string[]; readonly severed: string | undefined },
  gateways: readonly string[],
  localDrain: LocalDrain | undefined,
): ClusterFacts {
  return {
    ...{ trustBundle: [...trustBundle], gateways: [...gateways] },
    ...(severed === undefined ? {} : { severed }),
    ...(localDrain === undefined ? {} : { localDrain }),
  };
}
