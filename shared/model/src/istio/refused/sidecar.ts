import { NOT_YET } from './not-yet.ts';

const POOLS = ['inboundConnectionPool', 'ingress.connectionPool'];
const TARGET = 'Istio deprecated it, and a Sidecar says nothing by it: number alone counts';
const POOL_FIELDS = ['http.h2UpgradePolicy', 'http.useClientProtocol', 'tcp.idleTimeout', 'tcp.maxConnectionDuration'];

/** Fields of Sidecar that are refused, and why. */
export const SIDECAR: Readonly<Record<string, string>> = {
  'egress.bind': NOT_YET,
  'egress.captureMode': NOT_YET,
  'egress.port.targetPort': TARGET,
  'ingress.bind': NOT_YET,
  'ingress.captureMode': NOT_YET,
  'ingress.port.targetPort': TARGET,
  'ingress.tls': NOT_YET,
  ...Object.fromEntries(POOLS.flatMap((pool) => POOL_FIELDS.map((field) => [`${pool}.${field}`, NOT_YET]))),
};
