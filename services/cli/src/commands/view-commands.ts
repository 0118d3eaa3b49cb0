/** Commands that look: status, proxy-status, proxy-config, who-serves, top, cluster, version. */
import { AppError } from '@hawser/runtime/app-error.ts';
import { flagName } from '@hawser/runtime/flag-name.ts';
import { type Command, Option } from 'commander';
import type { JoinFlags } from '../cluster/cluster-commands.ts';
import type { LeaveFlags, RemoveFlags } from '../cluster/leave-commands.ts';
import type { PoliciesFlags } from '../cluster/policies-command.ts';
import type { UninstallFlags } from '../cluster/uninstall-agent.ts';
import type { CheckPreFlags } from '../views/check-pre-command.ts';
import type { CheckStrictFlags } from '../views/check-strict-command.ts';
import type { ViewFlags } from '../views/status-command.ts';
import type { TopFlags } from '../views/top-command.ts';
import type { WhoServesFlags } from '../views/who-serves-command.ts';
import type { Run } from './program.ts';
import { repeated } from './repeated.ts';

/** Adds them. */
export function addViewCommands(program: Command, run: Run): void {
  program
    .command('status')
    .description('the federation at a glance: hub, clusters, proxies, warnings')
    .addOption(outputOption())
    .action((_flags: unknown, command: Command) =>
      run(async () => (await import('../views/status-command.ts')).statusCommand(command.optsWithGlobals<ViewFlags>())),
    );
  addCheck(program, run);
  addProxyViews(program, run);
  addWhoServes(program, run);
  addTop(program, run);
  addCluster(program, run);
  program
    .command('version')
    .description('print the version')
    .addOption(outputOption())
    .action((_flags: unknown, command: Command) =>
      run(async () => (await import('../views/version-command.ts')).versionCommand(command.optsWithGlobals<ViewFlags>())),
    );
}

function addCheck(program: Command, run: Run): void {
  const check = program
    .command('check')
    .description('whether everything is well, part by part (exit code 1 when something fails)')
    .option('--pre', 'whether an agent can be installed, before anything is changed: hub, helm, and the cluster of --kubeconfig')
    .option('--kubeconfig <file>', 'with --pre: the Kubernetes cluster to look at')
    .option('--context <name>', 'of the kubeconfig (default: its current one)')
    .option('--agent-namespace <name>', 'with --pre: where the agent goes (default: hawser-system)')
    .addOption(outputOption())
    .addHelpText(
      'after',
      '\nExamples:\n  hawser check\n  hawser check --pre --kubeconfig us-east.yaml\n  hawser check --pre --kubeconfig us-east.yaml -o json',
    )
    .action((_flags: unknown, command: Command) =>
      run(async () => {
        const flags = command.optsWithGlobals<CheckPreFlags & { readonly pre?: boolean }>();
        if (flags.pre === true) return (await import('../views/check-pre-command.ts')).checkPreCommand(flags);
        const without = (['kubeconfig', 'context', 'agentNamespace'] as const).find((flag) => flags[flag] !== undefined);
        if (without !== undefined) throw new AppError('usage', `${flagName(without)} is for hawser check --pre`);
        return (await import('../views/check-command.ts')).checkCommand(flags);
      }),
    );
  check
    .command('strict')
    .description("who would be cut off by a PeerAuthentication that says STRICT: who did not come by the mesh's TLS, workload by workload")
    .option('-n, --namespace <name>', 'of the workloads that are called (default: all)')
    .option('--window <duration>', 'how long nobody may have, up to 1h', '1h')
    .addOption(outputOption())
    .addHelpText(
      'after',
      `
Exit code 0: everything was watched for the whole window, and nobody came in plain; 1: somebody did, or something is not known. Once it
is STRICT, it shows who is refused. Callers are named by the registry's word for their addresses: nothing proves it.

Examples:
  hawser check strict -n bookinfo
  hawser check strict --window 10m -o json`,
    )
    .action((_flags: unknown, command: Command) =>
      run(async () => (await import('../views/check-strict-command.ts')).checkStrictCommand(command.optsWithGlobals<CheckStrictFlags>())),
    );
}

function outputOption(): Option {
  return new Option('-o, --output <format>', 'form').choices(['table', 'json']).default('table');
}

function addProxyViews(program: Command, run: Run): void {
  program
    .command('proxy-status')
    .description('what every connected proxy was sent and has acknowledged (exit code 3 when one refuses)')
    .addOption(outputOption())
    .action((_flags: unknown, command: Command) =>
      run(async () => (await import('../views/proxy-status-command.ts')).proxyStatusCommand(command.optsWithGlobals<ViewFlags>())),
    );
  program
    .command('proxy-config')
    .description("what a proxy has, in Envoy's own words")
    .argument('<cluster/proxy>')
    .argument('[section]', 'clusters, listeners, routes, endpoints or secrets (default: all)')
    .addOption(outputOption())
    .addHelpText(
      'after',
      '\nExamples:\n  hawser proxy-config us-east/reviews-v1 endpoints\n  hawser proxy-config us-east/reviews-v1 listeners -o json',
    )
    .action((proxy: string, section: string | undefined, _flags: unknown, command: Command) =>
      run(async () =>
        (await import('../views/proxy-config-command.ts')).proxyConfigCommand(proxy, section, command.optsWithGlobals<ViewFlags>()),
      ),
    );
}

function addWhoServes(program: Command, run: Run): void {
  program
    .command('who-serves')
    .description('who answers clients of a service, in order of preference')
    .argument('<namespace/service>')
    .option('--from <cluster>', 'for clients of this cluster alone')
    .option('--without <region>', 'as if this region were gone')
    .option('--drained <place>', 'as if this were drained: REGION, cluster:NAME, zone:REGION/ZONE or gateway:CLUSTER')
    .addOption(outputOption())
    .addHelpText(
      'after',
      '\nExample:\n  hawser who-serves bookinfo/ratings --from us-east --without us-west\n  hawser who-serves bookinfo/reviews --drained cluster:us-east-1',
    )
    .action((service: string, _flags: unknown, command: Command) =>
      run(async () =>
        (await import('../views/who-serves-command.ts')).whoServesCommand(service, command.optsWithGlobals<WhoServesFlags>()),
      ),
    );
}

function addTop(program: Command, run: Run): void {
  program
    .command('top')
    .description('measured traffic: client requests, failures, retries, latency, as the proxies of the callers counted them')
    .argument('[namespace/service]', 'one service (default: all)')
    .option('--from <cluster>', 'of callers in this cluster alone')
    .option('--by <dimensions>', 'rows by source, service, cluster, region, zone, version; with commas (default: what fits)')
    .option('--window <duration>', 'how long back', '10s')
    .option('-w, --watch', 'go on, each second')
    .addOption(outputOption())
    .addHelpText('after', '\nExamples:\n  hawser top -w\n  hawser top bookinfo/reviews --from us-east --by version --window 1m')
    .action((service: string | undefined, _flags: unknown, command: Command) =>
      run(async () => (await import('../views/top-command.ts')).topCommand(service, command.optsWithGlobals<TopFlags>())),
    );
}

const JOIN_HELP = `
With --kubeconfig: the chart hawser-agent is rendered by helm, which has to be on PATH (or HAWSER_HELM_BIN), and applied by server-side apply;
doing it twice, with the same values, is doing it once. The API server judges every object before the hub makes a token. See "hawser check --pre" first.

Examples:
  hawser cluster join us-east --region us-east --provider aws --label tier=prod > token
  hawser cluster join us-east --region us-east --kubeconfig us-east.yaml --dry-run
  hawser cluster join us-east --region us-east --kubeconfig us-east.yaml -f values.yaml --wait`;

function addCluster(program: Command, run: Run): void {
  const cluster = program.command('cluster').description('who belongs to the federation');
  cluster
    .command('join')
    .description('make a token with which one agent joins, once; it is all that stdout gets. With --kubeconfig: install the agent there')
    .argument('<name>', "the cluster's name: lower case, digits, -")
    .requiredOption('--region <region>')
    .option('--zone <zone>')
    .option('--provider <provider>')
    .option('--network <network>', 'clusters of one network reach each other directly (default: a network of its own)')
    .option('--label <key=value>', 'label of the cluster; may be repeated', repeated)
    .option('--ttl <duration>', 'how long the token is good', '10m')
    .option('--kubeconfig <file>', 'install the agent in that Kubernetes cluster')
    .option('--context <name>', 'of the kubeconfig (default: its current one)')
    .option('--namespace <name>', 'where it goes; gateways are of hawser-system', 'hawser-system')
    .option('-f, --values <file>', 'values of the chart hawser-agent; may be repeated, the last wins', repeated)
    .option('--chart <place>', 'another chart than that of this release')
    .option('--gateway-mode', 'workloads without a sidecar: the gateways of the cluster speak for them (value gatewayMode.enabled)')
    .option('--new-token', 'for a cluster that is a member already, as when its keys are lost')
    .option('--dry-run', 'print what would be applied, and what would come, change and go by that; change nothing')
    .option('--wait', 'until the hub hears of the agent (exit code 4 when the time is over)')
    .option('--timeout <duration>', 'longest wait', '5m')
    .addHelpText('after', JOIN_HELP)
    .action((name: string, _flags: unknown, command: Command) =>
      run(async () => (await import('../cluster/cluster-commands.ts')).joinCommand(name, command.optsWithGlobals<JoinFlags>())),
    );
  cluster
    .command('uninstall')
    .description(
      'take out of a Kubernetes cluster what "cluster join --kubeconfig" put there, and imports; keys, definitions and namespace stay',
    )
    .requiredOption('--kubeconfig <file>', 'of that cluster')
    .option('--context <name>', 'of the kubeconfig (default: its current one)')
    .option('--namespace <name>', 'where the agent is', 'hawser-system')
    .option('--yes', 'do it; without it, what goes is shown and nothing is done')
    .addHelpText(
      'after',
      '\nExamples:\n  hawser cluster uninstall --kubeconfig us-east.yaml\n  hawser cluster uninstall --kubeconfig us-east.yaml --yes',
    )
    .action((_flags: unknown, command: Command) =>
      run(async () => (await import('../cluster/uninstall-agent.ts')).uninstallCommand(command.optsWithGlobals<UninstallFlags>())),
    );
  cluster
    .command('list')
    .description('the members and what is known of them')
    .addOption(outputOption())
    .action((_flags: unknown, command: Command) =>
      run(async () => (await import('../cluster/cluster-commands.ts')).listCommand(command.optsWithGlobals<ViewFlags>())),
    );
  addClusterPolicies(cluster, run);
  cluster
    .command('remove')
    .description('take a cluster out in peace: callers leave its endpoints alone first, then its credentials end')
    .argument('<name>')
    .option('--yes', 'do it; without it, what it breaks is shown and nothing is done')
    .option('--dry-run', 'show what it breaks')
    .option('--force', 'even if services have no endpoint left')
    .option('--reason <text>', 'for the history and the audit')
    .option('--timeout <duration>', 'how long to wait until every proxy has left its endpoints alone', '30s')
    .addHelpText('after', '\nExamples:\n  hawser cluster remove us-west\n  hawser cluster remove us-west --yes --reason "moved to eu-west"')
    .action((name: string, _flags: unknown, command: Command) =>
      run(async () => (await import('../cluster/leave-commands.ts')).removeCommand(name, command.optsWithGlobals<RemoveFlags>())),
    );
  cluster
    .command('revoke')
    .description('cut a cluster off at once, as when its keys have leaked: credentials, trust and endpoints end everywhere')
    .argument('<name>')
    .option('--yes', 'do it; without it, what it breaks is shown and nothing is done')
    .option('--dry-run', 'show what it breaks')
    .option('--reason <text>', 'for the history and the audit (default: revoked)')
    .option('--timeout <duration>', 'how long to wait until every proxy has said that it heard', '30s')
    .addHelpText(
      'after',
      '\nTokens that were made for it before are void too; it comes back by "hawser cluster join" alone. With a NATS of your own, print its\nconfiguration anew and reload it: hawser hub nats-config --database-url DSN\n\nExample:\n  hawser cluster revoke us-west --yes --reason "ca.key was copied"',
    )
    .action((name: string, _flags: unknown, command: Command) =>
      run(async () => (await import('../cluster/leave-commands.ts')).revokeCommand(name, command.optsWithGlobals<LeaveFlags>())),
    );
}

function addClusterPolicies(cluster: Command, run: Run): void {
  cluster
    .command('policies')
    .description(
      'policy that a cluster has in its own API server: what is found there, what is in force of it, and what is not, with the reason',
    )
    .argument('<name>', 'hawser cluster list shows them')
    .option(
      '--set <namespace=mode...>',
      'Off, ReadOnly or Authoritative for a namespace; "*" for all that are not named (needs the role admin)',
    )
    .addOption(outputOption())
    .addHelpText('after', POLICIES_HELP)
    .action((name: string, _flags: unknown, command: Command) =>
      run(async () => (await import('../cluster/policies-command.ts')).policiesCommand(name, command.optsWithGlobals<PoliciesFlags>())),
    );
}

const POLICIES_HELP = `
Modes, by namespace (Cluster.spec.policies):
  Off            nothing is read there (default)
  ReadOnly       shown here and judged; it changes nothing
  Authoritative  what the cluster has is in force in that cluster, and in no other: hawser get shows it as NAME@CLUSTER, with its OWNER

Whoever was there first stays: one of the hub that goes to the cluster makes the cluster's own a Conflict, and the other way round the hub
refuses to write it (409). Back to Off takes away what was adopted; a silent cluster, or a right that was withdrawn, does not.
The agent needs the ClusterRole hawser-agent-policies (deploy/kubernetes/agent-rbac.yaml).

Examples:
  hawser cluster policies us-east
  hawser cluster policies us-east --set bookinfo=ReadOnly
  hawser cluster policies us-east --set bookinfo=Authoritative --set "*=ReadOnly"`;
