import { type ProxyRunFlags, runOptionsOf } from './proxy-flags.ts';
import { runProxy } from './run.ts';

/** `hawser proxy run`; resolves with Envoy's own exit code. */
export function runCommand(flags: ProxyRunFlags): Promise<number> {
  return runProxy(runOptionsOf(flags));
}
