/** Specs of Istio's kinds as TypeScript types, from Istio's CRDs: every field that Istio has; `refused` says which of them we take. */
export type * from '../generated/istio/authorization-policy.ts';
export type * from '../generated/istio/destination-rule.ts';
export type * from '../generated/istio/gateway.ts';
export type * from '../generated/istio/peer-authentication.ts';
export type * from '../generated/istio/request-authentication.ts';
export type * from '../generated/istio/service-entry.ts';
export type {
  SidecarEgress,
  SidecarInboundConnectionPool,
  SidecarIngress,
  SidecarOutboundTrafficPolicy,
  SidecarPort,
  SidecarSpec,
  SidecarTls,
  SidecarWorkloadSelector,
} from '../generated/istio/sidecar.ts';
export type * from '../generated/istio/telemetry.ts';
export type * from '../generated/istio/virtual-service.ts';
export type * from '../generated/istio/wasm-plugin.ts';
export type * from '../generated/istio/workload-entry.ts';
export type * from '../generated/istio/workload-group.ts';
