/** Where the keys of a cluster's authority lie on this machine, and what they are encrypted with, as its agent is told too. */
import { join } from 'node:path';
import { type GlobalFlags, stateDirOf } from '../commands/connect-hub.ts';
import { terminal } from '../output/terminal.ts';
import { label } from '../proxy/proxy-flags.ts';

/** Flags of commands that work in it. */
export interface IdentityFolderFlags extends GlobalFlags {
  readonly cluster: string;
  readonly identityDir?: string;
  readonly caKeyFile?: string;
}

/** What they come to; flags go before the environment. */
export interface IdentityFolder {
  readonly cluster: string;
  readonly identityDir: string;
  /** The agent's own folder, which is the identity folder too unless agents share one. */
  readonly agentDir: string;
  readonly caKey: { readonly value: string | undefined; readonly file: string | undefined };
}

/** Throws `usage` for what is no name of a cluster. */
export function identityFolder(flags: IdentityFolderFlags): IdentityFolder {
  const { env } = terminal();
  const cluster = label('--cluster', flags.cluster);
  const shared = flags.identityDir ?? env['HAWSER_AGENT_IDENTITY_DIR'];
  const agentDir = join(stateDirOf(flags), 'agents', cluster);
  const identityDir = shared === undefined || shared === '' ? agentDir : shared;
  return { cluster, identityDir, agentDir, caKey: { value: env['HAWSER_CA_KEY'], file: flags.caKeyFile ?? env['HAWSER_CA_KEY_FILE'] } };
}
