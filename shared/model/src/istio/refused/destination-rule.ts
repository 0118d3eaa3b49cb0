import { NOT_YET } from './not-yet.ts';

/** Fields of DestinationRule that are refused, and why. */
export const DESTINATION_RULE: Readonly<Record<string, string>> = {
  exportTo: NOT_YET,
  'subsets.trafficPolicy': NOT_YET,
  trafficPolicy: NOT_YET,
  workloadSelector: NOT_YET,
};
