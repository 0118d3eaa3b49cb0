/** How a Drain differs from other resources. */
import type { KindBehaviour } from '../resource/kind-behaviour.ts';

/** It is not changed on its way. */
export const drainBehaviour: KindBehaviour = {
  specFixed: 'cannot be changed: hawser drain renew makes it last longer, hawser drain restore ends it; start another for anything else',
};
