import { parseDuration } from '@hawser/model/duration.ts';
import { AppError } from '@hawser/runtime/app-error.ts';

/** Milliseconds of a duration flag; throws a usage error naming the flag. */
export function durationFlag(flag: string, text: string): number {
  const milliseconds = parseDuration(text);
  if (milliseconds === undefined) throw new AppError('usage', `${flag} ${text}: not a duration such as 30s, 1m30s or 720h`);
  return milliseconds;
}
