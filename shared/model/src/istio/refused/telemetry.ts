/** Fields of Telemetry that are refused, and why. */
export const TELEMETRY: Readonly<Record<string, string>> = {
  'metrics.reportingInterval':
    'Envoy counts the bytes of a connection when it ends: while it is open, its log knows them in all, not those since it was last written, and a counter would add them again',
};
