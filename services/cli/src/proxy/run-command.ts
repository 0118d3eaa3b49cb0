import { terminal } from '../output/terminal.ts';
import { completeFlags, type GivenFlags } from './pod-flags.ts';
import { type ProxyRunFlags, runOptionsOf } from './proxy-flags.ts';
import { runProxy } from './run.ts';

/** `hawser proxy run`; resolves with Envoy's own exit code. */
export function runCommand(flags: GivenFlags<ProxyRunFlags>): Promise<number> {
  return runProxy(runOptionsOf(completeFlags<ProxyRunFlags>(flags, terminal().env)));
}
