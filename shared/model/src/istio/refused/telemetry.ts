/** Fields of Telemetry that are refused, and why. */
export const TELEMETRY: Readonly<Record<string, string>> = {
  'metrics.overrides.match.customMetric': "Envoy's proxies of Hawser count Istio's standard metrics alone",
  'metrics.reportingInterval': "Envoy's statistics are current whenever they are read, so that there is no interval",
};
