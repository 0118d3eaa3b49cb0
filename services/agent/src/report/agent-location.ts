/** Where proxies on this machine find their agent: `agent.json` of its folder. */
import { join } from 'node:path';
import { writeDurably } from '@hawser/runtime/durable-file.ts';
import { type AgentConfig, hostPort } from '../config.ts';

/** The ports that were bound. */
export interface BoundPorts {
  readonly xdsPort: number;
  readonly adminPort: number;
}

/** Writes it. */
export async function writeAgentLocation(agentDir: string, config: AgentConfig, { xdsPort, adminPort }: BoundPorts): Promise<void> {
  const { address, adminAddress, tls } = config;
  const location = { xds: hostPort(address, xdsPort), admin: hostPort(adminAddress, adminPort), tls };
  await writeDurably(join(agentDir, 'agent.json'), JSON.stringify(location));
}
