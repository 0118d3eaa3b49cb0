/** `hawser cluster join|list|remove`: who belongs to the federation. */
import { randomBytes } from 'node:crypto';
import type { JoinTokenSpec } from '@hawser/model/kind-specs.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { AppError } from '@hawser/runtime/app-error.ts';
import { flagName } from '@hawser/runtime/flag-name.ts';
import type { FleetAnswer } from '@hawser/wire/hub-api.ts';
import { resourcePath } from '../client/resource-path.ts';
import { connectHub, type GlobalFlags } from '../commands/connect-hub.ts';
import { durationFlag } from '../commands/duration-flag.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { note, print, printJson } from '../output/print.ts';
import { tableLines } from '../output/table.ts';
import { label } from '../proxy/proxy-flags.ts';
import { kindArgument } from '../resources/kind-argument.ts';
import { clusterColumns, type ViewFlags } from '../views/status-command.ts';
import type { InstallFlags } from './install-agent.ts';

/** Flags of `cluster join`; those of the installation count with `--kubeconfig` alone. */
export interface JoinFlags extends Omit<InstallFlags, 'kubeconfig'> {
  readonly kubeconfig?: string;
  readonly region: string;
  readonly zone?: string;
  readonly provider?: string;
  readonly network?: string;
  readonly label?: readonly string[];
  readonly ttl: string;
}

/** Makes a join token, which alone goes to stdout; or, with `--kubeconfig`, installs the agent with it. */
export async function joinCommand(cluster: string, flags: JoinFlags): Promise<ExitCode> {
  durationFlag('--ttl', flags.ttl);
  const spec = joinSpec(cluster, flags);
  const { kubeconfig } = flags;
  if (kubeconfig !== undefined) {
    const { installAgent } = await import('./install-agent.ts');
    return installAgent(cluster, { ...flags, kubeconfig }, () => makeToken(cluster, spec, flags));
  }
  const without = INSTALLING.find((flag) => flags[flag] !== undefined);
  if (without !== undefined) throw new AppError('usage', `${flagName(without)} is for installing the agent: give --kubeconfig too`);
  print(await makeToken(cluster, spec, flags));
  note(`good once, for ${flags.ttl}; on the cluster's machine: hawser agent run --token TOKEN --registry-dir DIR`);
  return EXIT.done;
}

const INSTALLING = ['context', 'chart', 'values', 'gatewayMode', 'newToken', 'dryRun', 'wait'] as const;

async function makeToken(cluster: string, spec: JoinTokenSpec, flags: GlobalFlags): Promise<string> {
  const kind = kindArgument('jointokens');
  const name = `${cluster.slice(0, 54)}-${randomBytes(4).toString('hex')}`;
  const body = { apiVersion: `${kind.group}/${kind.versions[0]}`, kind: kind.kind, metadata: { name }, spec };
  const created = (await connectHub(flags).send({ method: 'POST', path: resourcePath({ kind }), body })) as Resource<
    unknown,
    { token?: string }
  >;
  const token = created.status?.token;
  if (token === undefined) throw new AppError('hub-answer', 'the hub made no token: its answer holds none in status.token');
  return token;
}

/** PURE: what the token permits. */
export function joinSpec(cluster: string, flags: Omit<JoinFlags, keyof InstallFlags>): JoinTokenSpec {
  const labels = Object.fromEntries((flags.label ?? []).map(labelPair));
  return {
    cluster: label('NAME', cluster),
    region: label('--region', flags.region),
    ...(flags.zone === undefined ? {} : { zone: flags.zone }),
    ...(flags.provider === undefined ? {} : { provider: flags.provider }),
    ...(flags.network === undefined ? {} : { network: flags.network }),
    ...(Object.keys(labels).length === 0 ? {} : { labels }),
    ttl: flags.ttl,
  };
}

function labelPair(text: string): [string, string] {
  const equals = text.indexOf('=');
  if (equals < 1) throw new AppError('usage', `--label ${text}: expected KEY=VALUE`);
  return [text.slice(0, equals), text.slice(equals + 1)];
}

/** Lists the members with what is known of each. */
export async function listCommand(flags: ViewFlags): Promise<ExitCode> {
  const { clusters } = (await connectHub(flags).send({ path: '/hawser/v1/status' })) as FleetAnswer;
  if (flags.output === 'json') printJson({ clusters });
  else if (clusters.length === 0) note('no cluster has joined yet: hawser cluster join NAME --region REGION');
  else for (const line of tableLines(clusterColumns(Date.now()), clusters)) print(line);
  return EXIT.done;
}
