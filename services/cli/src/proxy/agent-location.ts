import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PORTS } from '@hawser/model/ports.ts';
import { AppError } from '@hawser/runtime/app-error.ts';
import { splitAddress } from './bootstrap.ts';

/** Where a cluster's agent listens, `IP:PORT` each. */
export interface AgentLocation {
  readonly xds: string;
  readonly admin: string;
}

/** What the caller was told: flags, else the environment, else the file of an agent on this machine. */
export interface AgentHints {
  readonly cluster: string;
  readonly stateDir: string;
  readonly agent?: string | undefined;
  readonly agentAdmin?: string | undefined;
}

/** Finds the agent; throws when nothing says where it is. */
export function locateAgent(hints: AgentHints, env: NodeJS.ProcessEnv = process.env): AgentLocation {
  const file = join(hints.stateDir, 'agents', hints.cluster, 'agent.json');
  const written = readAgentFile(file);
  const xds = hints.agent ?? nonEmpty(env['HAWSER_AGENT']) ?? written?.xds;
  if (xds === undefined) {
    throw new AppError(
      'usage',
      `no agent of cluster ${hints.cluster} is known: ${file} is not there; start the agent, or give its address with --agent IP:${PORTS.agentXds} or HAWSER_AGENT`,
    );
  }
  const admin =
    hints.agentAdmin ?? nonEmpty(env['HAWSER_AGENT_ADMIN']) ?? (xds === written?.xds ? written.admin : undefined) ?? adminBeside(xds);
  return { xds: checked('--agent', xds), admin: checked('--agent-admin', admin) };
}

/** The admin port on the agent's own address. */
function adminBeside(xds: string): string {
  return `${xds.slice(0, xds.lastIndexOf(':'))}:${PORTS.agentAdmin}`;
}

function checked(flag: string, text: string): string {
  try {
    splitAddress(text);
    return text;
  } catch {
    throw new AppError('usage', `${flag}: ${text} is not an address; expected IP:PORT`);
  }
}

function readAgentFile(path: string): AgentLocation | undefined {
  try {
    const content: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (content === null || typeof content !== 'object' || !('xds' in content) || typeof content.xds !== 'string') return undefined;
    return { xds: content.xds, admin: 'admin' in content && typeof content.admin === 'string' ? content.admin : adminBeside(content.xds) };
  } catch {
    return undefined;
  }
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}
