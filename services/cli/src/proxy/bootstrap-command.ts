/** `hawser proxy bootstrap`: the bootstrap on stdout, for an Envoy that something else runs. */
import { stateDirOf } from '../commands/connect-hub.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { printJson } from '../output/print.ts';
import { terminal } from '../output/terminal.ts';
import { locateAgent } from './agent-location.ts';
import { envoyBootstrap } from './bootstrap.ts';
import { completeFlags, type GivenFlags } from './pod-flags.ts';
import { agentHints, type ProxyIdentityFlags, proxyOf } from './proxy-flags.ts';
import { readToken } from './run.ts';

/** Flags of `proxy bootstrap`. */
export interface ProxyBootstrapFlags extends ProxyIdentityFlags {
  readonly tokenFile: string;
}

/** Runs the command. */
export function bootstrapCommand(given: GivenFlags<ProxyBootstrapFlags>): ExitCode {
  const flags = completeFlags<ProxyBootstrapFlags>(given, terminal().env);
  const agent = locateAgent({ cluster: flags.cluster, stateDir: stateDirOf(flags), ...agentHints(flags) });
  printJson(envoyBootstrap({ ...proxyOf(flags), agent: agent.xds, agentCa: agent.ca, token: { text: readToken(flags.tokenFile) } }));
  return EXIT.done;
}
