/** Metrics of shifts, by the replica that leads. */
import type { SteppedShift } from '@hawser/model/progressive-shift.ts';
import { gauges, type Registry, type Sample } from '@hawser/runtime/metrics.ts';
import type { UnderWay } from '../operations/operation-kind.ts';
import type { ObservedRequests } from './shift-evidence.ts';
import type { ShiftState } from './shift-state.ts';

type Label = 'service' | 'destination' | 'state';

/** What the leader attends to; nothing while it does not lead. */
export class ShiftAccounts {
  #attended: readonly UnderWay<ShiftState>[] = [];

  attend(attended: readonly UnderWay<ShiftState>[]): void {
    this.#attended = attended;
  }

  /** Shares between 0 and 1, as `observe` has measured those that are observed. */
  samples(observe: (shift: UnderWay<ShiftState>) => ObservedRequests | undefined): readonly Sample<Label>[] {
    return this.#attended.flatMap((shift) => samplesOf(shift, observe(shift)));
  }
}

function samplesOf({ resource, state }: UnderWay<ShiftState>, observed: ObservedRequests | undefined): Sample<Label>[] {
  const { services, destinations, totalWeight = 100 } = resource.spec as SteppedShift;
  const known = observed === undefined || observed.total === 0 ? undefined : observed;
  return services.flatMap((service) =>
    destinations.flatMap(({ name }) => {
      const labels = { service: `${resource.metadata.namespace ?? ''}/${service}`, destination: name };
      const shares = {
        desired: (state.weights[name] ?? 0) / totalWeight,
        acked: state.ackedWeights === undefined ? undefined : (state.ackedWeights[name] ?? 0) / totalWeight,
        observed: known === undefined ? undefined : (known.byDestination[name] ?? 0) / known.total,
      };
      return Object.entries(shares).flatMap(([is, share]): Sample<Label>[] =>
        share === undefined ? [] : [[{ ...labels, state: is }, share]],
      );
    }),
  );
}

/** Registers them. */
export function registerShiftMetrics(
  registry: Registry,
  accounts: ShiftAccounts,
  observe: (shift: UnderWay<ShiftState>) => ObservedRequests | undefined,
): void {
  gauges(registry, 'hub_shift_weight_ratio', () => accounts.samples(observe));
}
