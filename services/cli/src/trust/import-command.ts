/** `hawser trust import`: on the agent's machine, a CA of the user's own becomes the next generation of the cluster's authority. The key never leaves the machine. */
import { join } from 'node:path';
import { trustDomainOf } from '@hawser/model/spiffe-ids.ts';
import { AppError } from '@hawser/runtime/app-error.ts';
import { readIfThere } from '@hawser/runtime/durable-file.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { note, print } from '../output/print.ts';
import { type IdentityFolderFlags, identityFolder } from './identity-folder.ts';

/** Its flags. */
export interface ImportFlags extends IdentityFolderFlags {
  readonly cert?: string;
  readonly key?: string;
  readonly chain?: string;
  readonly p12?: string;
  readonly passwordFile?: string;
  readonly discard?: boolean;
}

interface Bound {
  readonly trustDomain: string;
  readonly certificate: string;
}

const ASK_MS = 5_000;

/** Runs the command. */
export async function importCommand(flags: ImportFlags): Promise<ExitCode> {
  const { cluster, identityDir, agentDir, caKey } = identityFolder(flags);
  const { importAuthority, openAuthority, trustDomainIn } = await import('@hawser/agent/trust/open-authority.ts');
  const trustDomain = (await trustDomainIn(identityDir)) ?? trustDomainOf(cluster);
  if (flags.discard === true) {
    const id = await (await openAuthority(identityDir, trustDomain, { caKey })).discardBrought();
    note(`${id.slice(0, 16)} is forgotten`);
    return EXIT.done;
  }
  const { readBroughtFiles } = await import('@hawser/agent/trust/brought-files.ts');
  const { broughtAuthority } = await import('@hawser/agent/trust/brought-authority.ts');
  if (flags.p12 !== undefined && (flags.cert ?? flags.key ?? flags.chain) !== undefined)
    throw new AppError('usage', '--p12 has certificate, chain and key in it: give it alone, or --cert, --key and --chain');
  const pems = await readBroughtFiles(flags);
  const brought = broughtAuthority(pems, { trustDomain, now: Date.now(), bound: await boundElsewhere(agentDir) });
  const state = await importAuthority({ identityDir, trustDomain }, brought, { caKey });
  const { id, kind } = brought.generation;
  print(id);
  note(
    state === 'active'
      ? `this ${kind} signs for ${trustDomain} from the agent's first start`
      : `this ${kind} is prepared for ${trustDomain}: hawser trust rotate ${cluster} --kind ${kind} takes it into use`,
  );
  return EXIT.done;
}

/** What the other trust domains sign with, by the running agent's word. */
async function boundElsewhere(agentDir: string): Promise<readonly Bound[]> {
  try {
    const { admin } = JSON.parse((await readIfThere(join(agentDir, 'agent.json'))) ?? '{}') as { readonly admin?: string };
    if (admin === undefined) throw new Error('no agent has run here');
    const answer = await fetch(`http://${admin}/debug/world`, { signal: AbortSignal.timeout(ASK_MS) });
    const { clusters } = (await answer.json()) as { readonly clusters: readonly { trustDomain: string; trustBundle: readonly string[] }[] };
    return clusters.flatMap(({ trustDomain, trustBundle }) => trustBundle.map((certificate) => ({ trustDomain, certificate })));
  } catch {
    note(
      'no agent of the cluster answers here: that no other trust domain signs with this key is checked by the agents of the others alone',
    );
    return [];
  }
}
