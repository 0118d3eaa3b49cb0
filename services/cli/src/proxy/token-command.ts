/** `hawser proxy token`: on the agent's machine, a token that proves who a proxy is. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { GATEWAY_NAMESPACE, GATEWAY_SERVICE_ACCOUNT } from '@hawser/model/gateway-identity.ts';
import { trustDomainOf } from '@hawser/model/spiffe-ids.ts';
import { AppError } from '@hawser/runtime/app-error.ts';
import { writeDurably } from '@hawser/runtime/durable-file.ts';
import { type GlobalFlags, stateDirOf } from '../commands/connect-hub.ts';
import { durationFlag } from '../commands/duration-flag.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { note, print } from '../output/print.ts';
import { terminal } from '../output/terminal.ts';
import { bundleBeside } from './agent-location.ts';
import { label } from './proxy-flags.ts';

/** Flags of `proxy token`. */
export interface ProxyTokenFlags extends GlobalFlags {
  readonly cluster: string;
  readonly namespace?: string;
  readonly serviceAccount?: string;
  readonly gateway?: boolean;
  readonly edge?: boolean;
  readonly name?: string;
  readonly ttl: string;
  readonly out?: string;
  readonly tokenFile?: string;
  readonly identityDir?: string;
}

/** Runs the command. */
export async function tokenCommand(flags: ProxyTokenFlags): Promise<ExitCode> {
  const namespace = flags.namespace ?? (flags.gateway === true ? GATEWAY_NAMESPACE : undefined);
  const serviceAccount = flags.serviceAccount ?? (flags.gateway === true ? GATEWAY_SERVICE_ACCOUNT : undefined);
  if (namespace === undefined || serviceAccount === undefined)
    throw new AppError('usage', '--namespace and --service-account are required (or --gateway)');
  const { mintProxyToken } = await import('@hawser/agent/trust/proxy-tokens.ts');
  const shared = flags.identityDir ?? terminal().env['HAWSER_AGENT_IDENTITY_DIR'];
  const agentDir = shared === undefined || shared === '' ? join(stateDirOf(flags), 'agents', label('--cluster', flags.cluster)) : shared;
  if (!existsSync(agentDir)) note(`no agent of ${flags.cluster} has run here yet: the token is good for the one that will use ${agentDir}`);
  const token = await mintProxyToken({
    agentDir,
    cluster: flags.cluster,
    namespace: label('--namespace', namespace),
    serviceAccount: label('--service-account', serviceAccount),
    ...(flags.name === undefined ? {} : { name: flags.name }),
    ...(flags.edge === true ? { edge: true } : {}),
    ttlMs: durationFlag('--ttl', flags.ttl),
  });
  const file = flags.out ?? flags.tokenFile;
  if (file === undefined) print(token);
  else {
    await writeDurably(file, `${token}\n`);
    await writeDurably(bundleBeside(file), (await trustBundleOf(agentDir, flags.cluster)).join(''), 0o644);
    note(`token of ${namespace}/${serviceAccount} written to ${file}, good for ${flags.ttl}`);
  }
  return EXIT.done;
}

/** The cluster's roots: of its authority, which is made now where no agent has run yet, with the key that the agent's environment names. */
async function trustBundleOf(agentDir: string, cluster: string): Promise<readonly string[]> {
  const { openAuthority, readDoorBundle } = await import('@hawser/agent/trust/open-authority.ts');
  const { env } = terminal();
  const caKey = { value: env['HAWSER_CA_KEY'], file: env['HAWSER_CA_KEY_FILE'] };
  return (await readDoorBundle(agentDir)) ?? (await openAuthority(agentDir, trustDomainOf(cluster), { caKey })).trustBundle;
}
