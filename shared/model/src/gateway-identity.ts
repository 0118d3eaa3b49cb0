/** The identity of every gateway: `spiffe://TRUST_DOMAIN/ns/hawser-system/sa/gateway`. Free of schemas, so that proxies load nothing else. */
export const GATEWAY_NAMESPACE = 'hawser-system';
export const GATEWAY_SERVICE_ACCOUNT = 'gateway';
/** The Service and the service account of the proxies that call for workloads without a sidecar, unless an agent is told another. */
export const OUTBOUND_GATEWAY = 'hawser-outbound';
