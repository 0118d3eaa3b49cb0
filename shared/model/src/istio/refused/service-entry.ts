import { NOT_YET } from './not-yet.ts';

/** Fields of ServiceEntry that are refused, and why. */
export const SERVICE_ENTRY: Readonly<Record<string, string>> = {
  addresses: NOT_YET,
  endpoints: NOT_YET,
  exportTo: NOT_YET,
  hosts: NOT_YET,
  location: NOT_YET,
  ports: NOT_YET,
  resolution: NOT_YET,
  subjectAltNames: NOT_YET,
  workloadSelector: NOT_YET,
};
