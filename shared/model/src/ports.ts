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
  health: 15021,
  stats: 15090,
  gateway: 15443,
} as const;
