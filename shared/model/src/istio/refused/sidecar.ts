import { NOT_YET } from './not-yet.ts';

/** Fields of Sidecar that are refused, and why. */
export const SIDECAR: Readonly<Record<string, string>> = {
  'egress.bind': NOT_YET,
  'egress.captureMode': NOT_YET,
  inboundConnectionPool: NOT_YET,
  ingress: NOT_YET,
};
