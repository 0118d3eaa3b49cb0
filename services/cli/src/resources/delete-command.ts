/** `hawser delete`: by kind and name, or what files hold. */
import { AppError } from '@hawser/runtime/app-error.ts';
import { addressOf } from '../apply/apply-one.ts';
import { problemsOf, problemText } from '../apply/apply-result.ts';
import type { HubClient } from '../client/hub-client.ts';
import { HubRefusal } from '../client/hub-refusal.ts';
import { type ResourceAddress, resourcePath } from '../client/resource-path.ts';
import { connectHub, type GlobalFlags } from '../commands/connect-hub.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { applyOrder } from '../manifest/apply-order.ts';
import { loadManifests } from '../manifest/load-manifests.ts';
import type { Manifest } from '../manifest/manifest.ts';
import { note, print } from '../output/print.ts';
import { kindAndName } from './kind-argument.ts';

/** Flags of `delete`. */
export interface DeleteFlags extends GlobalFlags {
  readonly filename?: string[];
  readonly namespace?: string;
  readonly ignoreNotFound?: boolean;
}

/** Runs the command. */
export async function deleteCommand(kindWord: string | undefined, names: readonly string[], flags: DeleteFlags): Promise<ExitCode> {
  if (flags.filename !== undefined) return deleteFiles(flags.filename, flags);
  if (kindWord === undefined) throw new AppError('usage', 'say what to delete: hawser delete KIND NAME, or -f FILE');
  const targets = (names.length === 0 ? [undefined] : names).map((name) => kindAndName(kindWord, name));
  const hub = connectHub(flags);
  let exit: ExitCode = EXIT.done;
  for (const { kind, name } of targets) {
    if (name === undefined) throw new AppError('usage', `which one? hawser delete ${kindWord} NAME`);
    try {
      await deleteOne(hub, { kind, namespace: flags.namespace ?? 'default', name }, flags);
    } catch (error) {
      if (!(error instanceof HubRefusal)) throw error;
      note(`${kind.kind} ${name}: ${error.message}`);
      exit = EXIT.failed;
    }
  }
  return exit;
}

/** What refers to others goes first. One failure does not keep the rest. */
async function deleteFiles(files: readonly string[], flags: DeleteFlags): Promise<ExitCode> {
  const { manifests, problems } = await loadManifests(files, flags.namespace ?? 'default');
  process.stderr.write(problemText(problems));
  if (problems.length > 0) return EXIT.failed;
  const hub = connectHub(flags);
  let exit: ExitCode = EXIT.done;
  for (const manifest of applyOrder(manifests).reverse()) {
    if (!(await deleteManifest(hub, manifest, flags))) exit = EXIT.failed;
  }
  return exit;
}

async function deleteManifest(hub: HubClient, manifest: Manifest, flags: DeleteFlags): Promise<boolean> {
  try {
    await deleteOne(hub, addressOf(manifest), flags);
    return true;
  } catch (error) {
    process.stderr.write(problemText(problemsOf(manifest, error)));
    return false;
  }
}

async function deleteOne(hub: HubClient, address: ResourceAddress & { readonly name: string }, flags: DeleteFlags): Promise<void> {
  try {
    await hub.send({ method: 'DELETE', path: resourcePath(address) });
  } catch (error) {
    if (flags.ignoreNotFound === true && error instanceof HubRefusal && error.status === 404) return;
    throw error;
  }
  print(`${address.kind.kind.toLowerCase()}/${address.name} deleted${address.kind.namespaced ? ` in ${address.namespace}` : ''}`);
}
