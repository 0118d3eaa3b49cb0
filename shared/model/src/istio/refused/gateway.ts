import { NOT_YET } from './not-yet.ts';

/** Fields of Gateway that are refused, and why. */
export const GATEWAY: Readonly<Record<string, string>> = {
  selector: NOT_YET,
  servers: NOT_YET,
};
