import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PORTS } from '@hawser/model/ports.ts';
import { AppError } from '@hawser/runtime/app-error.ts';
import { isLoopback, plaintextAllowed, requireLoopback } from '@hawser/runtime/plain-listener.ts';
import { terminal } from '../output/terminal.ts';
import { splitAddress } from './bootstrap.ts';

/** Where a cluster's agent listens, `IP:PORT` each; several agents are separated by commas, in one order. */
export interface AgentLocation {
  readonly xds: string;
  readonly admin: string;
  /** PEM of the cluster's trust bundle, by which the agent's certificate is checked; none where it is served in plain text. */
  readonly ca?: string;
  /** The file that it was read from, which may be renewed; none where it was given as text. */
  readonly caFile?: string;
}

/** What the caller was told: flags, else the environment, else the file of an agent on this machine. */
export interface AgentHints {
  readonly cluster: string;
  readonly stateDir: string;
  readonly agent?: string | undefined;
  readonly agentAdmin?: string | undefined;
  /** File of the cluster's trust bundle: `--agent-ca`. */
  readonly agentCa?: string | undefined;
  /** The proxy's token file: its trust bundle lies beside it, `FILE.ca`. */
  readonly tokenFile?: string | undefined;
}

/** Finds the agent; throws when nothing says where it is. */
export function locateAgent(hints: AgentHints, env: NodeJS.ProcessEnv = terminal().env): AgentLocation {
  const file = join(hints.stateDir, 'agents', hints.cluster, 'agent.json');
  const written = readAgentFile(file);
  const xds = hints.agent ?? nonEmpty(env['HAWSER_AGENT']) ?? written?.xds;
  if (xds === undefined) {
    throw new AppError(
      'usage',
      `no agent of cluster ${hints.cluster} is known: ${file} is not there; start the agent, or give its address with --agent IP:${PORTS.agentXds} or HAWSER_AGENT`,
    );
  }
  const agents = checked('--agent', xds);
  const beside = agents.map((one) => (one === written?.xds ? written.admin : adminBeside(one))).join();
  const admin = checked('--agent-admin', hints.agentAdmin ?? nonEmpty(env['HAWSER_AGENT_ADMIN']) ?? beside).join();
  const bundles = agents.map((one) => trustBundle(hints, { xds: one, served: one === written?.xds ? written.tls : undefined }, env));
  const [ca] = bundles;
  if (bundles.some((bundle) => (bundle === undefined) !== (ca === undefined)))
    throw new AppError('usage', `--agent ${xds}: one is reached by TLS and another in plain text; name the bundle of both with --agent-ca`);
  return { xds: agents.join(), admin, ...ca };
}

type TrustBundle = Required<Pick<AgentLocation, 'ca'>> & Pick<AgentLocation, 'caFile'>;

/**
 * The bundle to check the agent with, or undefined for plain text: where the agent of this machine serves it so, else on loopback
 * alone. The token goes to nobody who does not prove to be the agent.
 */
function trustBundle(
  hints: AgentHints,
  agent: { xds: string; served: boolean | undefined },
  env: NodeJS.ProcessEnv,
): TrustBundle | undefined {
  const inline = nonEmpty(env['HAWSER_AGENT_CA_PEM']);
  if (hints.agentCa === undefined && inline !== undefined) return { ca: checkedBundle('HAWSER_AGENT_CA_PEM', inline) };
  const given = hints.agentCa ?? nonEmpty(env['HAWSER_AGENT_CA']);
  if (given !== undefined) return { ca: readAgentCa(given), caFile: given };
  const host = splitAddress(agent.xds).address;
  if (agent.served === false || (agent.served === undefined && (isLoopback(host) || plaintextAllowed(env)))) {
    requireLoopback(host, '--agent', { env, wayOut: 'serve xDS by TLS (hawser agent run --tls on)' });
    return undefined;
  }
  const places = [
    ...(hints.tokenFile === undefined ? [] : [bundleBeside(hints.tokenFile)]),
    join(hints.stateDir, 'agents', hints.cluster, 'ca.pem'),
  ];
  for (const place of places) {
    if (readText(place) !== undefined) return { ca: readAgentCa(place), caFile: place };
  }
  throw new AppError(
    'usage',
    `the agent at ${agent.xds} cannot be checked: the trust bundle of ${hints.cluster} is in none of ${places.join(', ')}; copy the file that hawser proxy token wrote beside the token, or name it with --agent-ca (HAWSER_AGENT_CA)`,
  );
}

/** The bundle in a file; throws when none is in it. */
export function readAgentCa(path: string): string {
  return checkedBundle(path, readText(path));
}

/** Where `proxy token --out FILE` puts the cluster's trust bundle. */
export function bundleBeside(tokenFile: string): string {
  return `${tokenFile}.ca`;
}

function checkedBundle(path: string, text: string | undefined): string {
  if (text?.includes('-----BEGIN CERTIFICATE-----') === true) return text;
  throw new AppError('usage', `--agent-ca: ${path} holds no certificate in PEM; hawser proxy token --out FILE writes one to FILE.ca`);
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** The admin port on the agent's own address. */
function adminBeside(xds: string): string {
  return `${xds.slice(0, xds.lastIndexOf(':'))}:${PORTS.agentAdmin}`;
}

/** The addresses of a list. */
function checked(flag: string, text: string): string[] {
  const addresses = text.split(',').map((one) => one.trim());
  for (const address of addresses)
    try {
      splitAddress(address);
    } catch {
      throw new AppError('usage', `${flag}: ${address} is not an address; expected IP:PORT`);
    }
  return addresses;
}

function readAgentFile(path: string): { xds: string; admin: string; tls: boolean } | undefined {
  try {
    const content: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (content === null || typeof content !== 'object' || !('xds' in content) || typeof content.xds !== 'string') return undefined;
    const admin = 'admin' in content && typeof content.admin === 'string' ? content.admin : adminBeside(content.xds);
    return { xds: content.xds, admin, tls: 'tls' in content && content.tls === true };
  } catch {
    return undefined;
  }
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}
