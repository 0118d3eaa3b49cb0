/** Commands that explain what policy does and what is wrong with it: analyze, explain-route. */
import { type Command, Option } from 'commander';
import type { AnalyzeFlags } from '../analyze/analyze-command.ts';
import type { ExplainRouteFlags } from '../views/explain-route-command.ts';
import type { Run } from './program.ts';
import { repeated } from './repeated.ts';

/** Adds them. */
export function addAnalysisCommands(program: Command, run: Run): void {
  addAnalyze(program, run);
  addExplainRoute(program, run);
}

function addAnalyze(program: Command, run: Run): void {
  program
    .command('analyze')
    .description('find what is probably not meant, in files, in what the hub holds, or in both (exit code 1 when --fail-on is met)')
    .option('-f, --filename <path...>', 'file, folder, or - for standard input (default: what the hub holds)')
    .option('-n, --namespace <name>', 'for resources that name none', 'default')
    .option('--hub', 'together with what the hub holds and knows; fail when it cannot be asked')
    .option('--no-hub', 'the files alone: hosts, ports and clusters are not looked up')
    .addOption(new Option('-o, --output <format>', 'form').choices(['table', 'json']).default('table'))
    .addOption(new Option('--severity <least>', 'show findings as bad as this').choices(['error', 'warning', 'info']).default('info'))
    .addOption(
      new Option('--fail-on <least>', 'exit with 1 for findings as bad as this')
        .choices(['error', 'warning', 'info', 'never'])
        .default('error'),
    )
    .addHelpText(
      'after',
      `
Files need not be valid: fields that Istio removed are named with what took their place. Each finding has a code, which
docs/analysis.md explains, a severity, the file with line and column, and what to do. With files and a hub, findings are about the
files, and about what they would break of what the hub holds. Without --hub or --no-hub a hub is asked if one answers.

  error    it does not do what it says, or is refused
  warning  it probably does not do what was meant
  info     worth knowing

Examples:
  hawser analyze                                     # everything that the hub holds
  hawser analyze -f policies/                        # files, together with the hub
  hawser analyze -f policies/ --no-hub --fail-on warning   # in CI, without a hub
  kubectl get vs,dr -A -o yaml | hawser analyze -f - --severity warning`,
    )
    .action((_flags: unknown, command: Command) =>
      run(async () => (await import('../analyze/analyze-command.ts')).analyzeCommand(command.optsWithGlobals<AnalyzeFlags>())),
    );
}

function addExplainRoute(program: Command, run: Run): void {
  program
    .command('explain-route')
    .description('which rule, upstream and endpoints a request takes at a proxy, and why not the rules before it')
    .argument('<cluster/proxy>', 'hawser proxy-status lists them')
    .argument('<url>', 'as the workload calls it; at the edge, as the world does')
    .option('-X, --request <method>', 'method', 'GET')
    .option('-H, --header <name: value>', 'header; may be repeated', repeated)
    .addOption(new Option('-o, --output <format>', 'form').choices(['table', 'json']).default('table'))
    .addHelpText(
      'after',
      `
It is worked out by the agent from what the proxy is served, in the order in which Envoy decides: listener, virtual host, routes.
It is the proxy's own view, with the exportTo and Sidecars that hold for it. Connections that are not HTTP are not followed.
No request is sent. Endpoints are shown with the health that the agent told the proxy; priority 0 is tried first.

Examples:
  hawser explain-route us-east/productpage-v1 http://reviews.bookinfo.svc.clusterset.local/reviews/1
  hawser explain-route us-east/productpage-v1 http://ratings.bookinfo/ratings/1 -X POST -H 'end-user: jason' -o json`,
    )
    .action((proxy: string, url: string, _flags: unknown, command: Command) =>
      run(async () =>
        (await import('../views/explain-route-command.ts')).explainRouteCommand(proxy, url, command.optsWithGlobals<ExplainRouteFlags>()),
      ),
    );
}
