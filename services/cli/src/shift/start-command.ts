/** `hawser shift start -f FILE`: applies a TrafficShift with steps, and shows how it goes on. */
import { AppError } from '@hawser/runtime/app-error.ts';
import { applyOne } from '../apply/apply-one.ts';
import { problemsOf, problemText } from '../apply/apply-result.ts';
import { HubRefusal } from '../client/hub-refusal.ts';
import { connectHub } from '../commands/connect-hub.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { loadManifests } from '../manifest/load-manifests.ts';
import type { Manifest } from '../manifest/manifest.ts';
import { terminal } from '../output/terminal.ts';
import { type Shift, type ShiftFlags, shiftPath, shown } from './shift-command.ts';

/** Its flags. */
export interface StartFlags extends ShiftFlags {
  readonly filename: string;
}

/** Runs the command. */
export async function startShift(flags: StartFlags): Promise<ExitCode> {
  const { manifests, problems } = await loadManifests([flags.filename], flags.namespace ?? 'default');
  if (problems.length > 0) {
    terminal().stderr.write(problemText(problems));
    return EXIT.failed;
  }
  const manifest = onlyShift(manifests, flags.filename);
  const hub = connectHub(flags);
  try {
    await applyOne(hub, manifest, { dryRun: false, allowUnresolved: false });
  } catch (error) {
    if (!(error instanceof HubRefusal)) throw error;
    terminal().stderr.write(problemText(problemsOf(manifest, error)));
    return EXIT.failed;
  }
  const { namespace = 'default', name } = manifest.resource.metadata;
  const shift = (await hub.send({ path: shiftPath(namespace, name) })) as Shift;
  return await shown(hub, shift, { flags, wanted: 'Done' });
}

function onlyShift(manifests: readonly Manifest[], file: string): Manifest {
  const [first, second] = manifests;
  const isShift = first?.kind.kind === 'TrafficShift' && 'steps' in (first.resource.spec as object);
  if (first !== undefined && second === undefined && isShift) return first;
  throw new AppError('usage', `${file}: it must hold one TrafficShift with steps, and nothing else: hawser apply -f is for the rest`);
}
