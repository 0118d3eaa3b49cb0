/** `hawser trust reencrypt`: on the agent's machine, another key for the cluster's signing keys at rest. */
import { EXIT, type ExitCode } from '../exit-code.ts';
import { note, print } from '../output/print.ts';
import { type IdentityFolderFlags, identityFolder } from './identity-folder.ts';

/** Its flags. */
export interface ReencryptFlags extends IdentityFolderFlags {
  readonly newCaKeyFile?: string;
}

/** Runs the command; it prints which key it is by now, in 16 hex digits that say nothing of it. */
export async function reencryptCommand(flags: ReencryptFlags): Promise<ExitCode> {
  const { cluster, identityDir, caKey } = identityFolder(flags);
  const { reencryptAuthority } = await import('@hawser/agent/trust/reencrypt-authority.ts');
  const { keys, by } = await reencryptAuthority({ identityDir, from: caKey, newKeyFile: flags.newCaKeyFile });
  print(by);
  note(
    flags.newCaKeyFile === undefined
      ? `${keys} signing keys of ${cluster} are encrypted with a new key in ${identityDir}; running agents take it up by themselves`
      : `${keys} signing keys of ${cluster} are encrypted with the key in ${flags.newCaKeyFile}: start its agents with that one; running ones go on signing, and refuse to rotate until then`,
  );
  return EXIT.done;
}
