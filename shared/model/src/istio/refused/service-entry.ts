import { NOT_YET } from './not-yet.ts';

/** Fields of ServiceEntry that are refused, and why. */
export const SERVICE_ENTRY: Readonly<Record<string, string>> = {
  exportTo: NOT_YET,
};
