/** How a DrillRun differs from other resources: the hub alone makes it. */
import type { KindBehaviour } from '../resource/kind-behaviour.ts';

const MADE = 'runs are made by the hub: hawser drill run NAME, or the schedule of the Drill';

/** Nobody writes one. */
export const drillRunBehaviour: KindBehaviour = {
  createRefused: MADE,
  specFixed: `cannot be changed; ${MADE}`,
  // What is applied beside other policies comes this way.
  check: async () => [{ path: 'spec', code: 'FieldValueForbidden', message: `is not written by hand: ${MADE}` }],
};
