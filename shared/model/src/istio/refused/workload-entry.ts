import { NOT_YET } from './not-yet.ts';

/** Fields of WorkloadEntry that are refused, and why. */
export const WORKLOAD_ENTRY: Readonly<Record<string, string>> = {
  address: NOT_YET,
  labels: NOT_YET,
  locality: NOT_YET,
  network: NOT_YET,
  ports: NOT_YET,
  serviceAccount: NOT_YET,
  weight: NOT_YET,
};
