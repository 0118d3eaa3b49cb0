/** PURE: which colour a cluster has in every chart of a report. They are told apart by who sees colours otherwise, too (Okabe and Ito). */
import type { DrillEvidence } from '@hawser/model/drill-evidence.ts';

/** Those of the style, `--c0` and on. */
const COLOURS = 8;

/** Clusters that the drill hit come first, so that they have the warm ones. */
export function colourOf({ clusters }: DrillEvidence, cluster: string): string {
  if (cluster === '') return 'var(--nowhere)';
  const order = [...clusters].sort((a, b) => Number(b.inScope) - Number(a.inScope));
  const place = order.findIndex(({ name }) => name === cluster);
  return `var(--c${(place < 0 ? clusters.length : place) % COLOURS})`;
}
