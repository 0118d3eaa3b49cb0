/** PURE: a rotation as text. */
import type { RotationPhase, RotationView, RotationWait } from '@hawser/wire/trust.ts';

const MEANS: Readonly<Record<RotationPhase, string>> = {
  Pending: 'its time has not come',
  Preparing: 'the new one goes to everybody that trusts the cluster; nothing is signed with it yet',
  Activating: 'every certificate is issued anew',
  Tainting: 'certificates of the old one are waited for until the last is gone',
  Retiring: 'the old one goes',
  Done: 'the old one is gone',
  RollingBack: 'the one before signs again, and the new one goes',
  RolledBack: 'the one before signs, and the new one is gone',
  Failed: 'nothing was changed',
};

/** Its phase, what that means, and whom it waits for. */
export function rotationLines(rotation: RotationView): string[] {
  const { cluster, kind, id, phase, paused, emergency, at, message } = rotation;
  const title = `${emergency ? 'emergency rotation' : 'rotation'} of the ${kind} of ${cluster} (${id})`;
  const when = phase === 'Pending' && at !== undefined ? `, begins at ${at}` : '';
  const state = `${phase}${paused ? ', paused' : ''}${when}: ${message ?? MEANS[phase]}`;
  return [`${title}`, `  ${state}`, ...rotation.waiting.map((wait) => `  ${waitLine(wait)}`)];
}

/** Whom it waits for, or goes on without, and why. */
export function waitLine({ cluster, reason, proxies, blocks }: RotationWait): string {
  const names = proxies.length === 0 ? '' : ` (${proxies.join(', ')})`;
  return `${blocks ? 'waits for' : 'goes on without'} ${cluster}: ${reason}${names}`;
}

/** One line for a log that nobody rewrites: what changed since the last such line is a new one. */
export function plainLine(rotation: RotationView): string {
  const { cluster, kind, phase, paused, waiting } = rotation;
  const first = waiting[0];
  const more = waiting.length > 1 ? `, and ${waiting.length - 1} more` : '';
  const waits = first === undefined ? '' : `; ${waitLine(first)}${more}`;
  return `${cluster} ${kind}: ${phase}${paused ? ', paused' : ''}${waits}`;
}
