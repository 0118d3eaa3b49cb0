/** Ports of the fixed contract (DESIGN.md section 2, addresses and state). */
export const PORTS = {
  hub: 8080,
  postgres: 5432,
  nats: 4222,
  agentXds: 15010,
  agentAdmin: 15014,
  envoyAdmin: 15000,
  outbound: 15001,
  inbound: 15006,
  /** Where captured outgoing connections arrive. */
  capture: 15007,
  health: 15021,
  /** The resolver of a captured workload. */
  dns: 15053,
  /** Where Envoy hands its resolver the names. */
  names: 15054,
  stats: 15090,
  gateway: 15443,
} as const;
