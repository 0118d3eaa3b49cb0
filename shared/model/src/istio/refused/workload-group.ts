import { NOT_YET } from './not-yet.ts';

/** Fields of WorkloadGroup that are refused, and why. */
export const WORKLOAD_GROUP: Readonly<Record<string, string>> = {
  metadata: NOT_YET,
  probe: NOT_YET,
  template: NOT_YET,
};
