/** The identity of every gateway: `spiffe://TRUST_DOMAIN/ns/hawser-system/sa/gateway`. Free of schemas, so that proxies load nothing else. */
export const GATEWAY_NAMESPACE = 'hawser-system';
export const GATEWAY_SERVICE_ACCOUNT = 'gateway';
