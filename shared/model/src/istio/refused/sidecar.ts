import { NOT_YET } from './not-yet.ts';

const POOLS = ['inboundConnectionPool', 'ingress.connectionPool'];
const POOL_FIELDS = ['http.h2UpgradePolicy', 'http.useClientProtocol', 'tcp.idleTimeout', 'tcp.maxConnectionDuration'];

/** Fields of Sidecar that are refused, and why. */
export const SIDECAR: Readonly<Record<string, string>> = {
  'egress.bind': NOT_YET,
  'egress.captureMode': NOT_YET,
  'ingress.bind': NOT_YET,
  'ingress.captureMode': NOT_YET,
  'ingress.tls': NOT_YET,
  ...Object.fromEntries(POOLS.flatMap((pool) => POOL_FIELDS.map((field) => [`${pool}.${field}`, NOT_YET]))),
};
