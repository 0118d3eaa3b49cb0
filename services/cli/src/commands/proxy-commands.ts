/** `hawser proxy`: run, bootstrap, token, capture. */
import type { Command } from 'commander';
import type { ProxyBootstrapFlags } from '../proxy/bootstrap-command.ts';
import type { ProxyCaptureFlags } from '../proxy/capture/capture-command.ts';
import type { GivenFlags } from '../proxy/pod-flags.ts';
import type { ProxyRunFlags } from '../proxy/proxy-flags.ts';
import type { ProxyTokenFlags } from '../proxy/token-command.ts';
import type { Run } from './program.ts';
import { repeated } from './repeated.ts';

/** Adds them. */
export function addProxyCommands(program: Command, run: Run): void {
  const proxy = program.command('proxy').description('one Envoy: a sidecar, a gateway between clusters, or an edge proxy');
  withIdentity(proxy.command('run').description('start Envoy; drain it on SIGTERM; end with its exit code'))
    .option('--drain <duration>', 'longest wait for requests in progress when it ends', '10s')
    .option('--concurrency <threads>', "Envoy's worker threads", '1')
    .option('--exec-probe', 'the probe of its --workload-group may be a command: run it here, as the user of this process')
    .addHelpText('after', RUN_HELP)
    .action((_flags: unknown, command: Command) =>
      run(async () => (await import('../proxy/run-command.ts')).runCommand(command.optsWithGlobals<GivenFlags<ProxyRunFlags>>())),
    );
  withIdentity(
    proxy.command('bootstrap').description("print Envoy's bootstrap, for an Envoy that something else runs (it holds the token)"),
  ).action((_flags: unknown, command: Command) =>
    run(async () =>
      (await import('../proxy/bootstrap-command.ts')).bootstrapCommand(command.optsWithGlobals<GivenFlags<ProxyBootstrapFlags>>()),
    ),
  );
  addToken(proxy, run);
  addCapture(proxy, run);
}

const CAPTURE_HELP = `
Run it where the workload runs (its network namespace), before the workload starts, with CAP_NET_ADMIN and CAP_NET_RAW. Outgoing TCP goes to
the sidecar's port 15007, incoming to 15006, DNS to 15053; the sidecar (hawser proxy run --capture) runs as --proxy-user. Installing twice
is installing once; removing leaves nothing behind. Lists have commas between.

Examples:
  hawser proxy capture --dry-run
  hawser proxy capture --install --exclude-outbound-ports 22 --exclude-inbound-from 10.0.0.5
  hawser proxy capture --remove`;

function addCapture(proxy: Command, run: Run): void {
  proxy
    .command('capture')
    .description("lead this network namespace's traffic to its sidecar, by iptables")
    .option('--install', 'install the rules')
    .option('--remove', 'remove them')
    .option('--dry-run', 'show what would be done, and do nothing')
    .option('--proxy-user <uid>', "the sidecar's user: its own traffic is left alone", '1337')
    .option('--include-outbound <cidrs>', 'destinations that are captured; * for all', '*')
    .option('--exclude-outbound <cidrs>', 'destinations that are not', '')
    .option('--include-outbound-ports <ports>', 'ports that are captured whatever their destination', '')
    .option('--exclude-outbound-ports <ports>', 'ports that are not', '')
    .option('--include-inbound-ports <ports>', "the workload's ports that are captured; * for all", '*')
    .option('--exclude-inbound-ports <ports>', 'those that are not', '')
    .option('--exclude-inbound-from <cidrs>', 'callers who reach the workload itself, as an agent whose health checks must see it', '')
    .option('--virtual-range <cidr>', "the agent's --virtual-range", '240.240.0.0/12')
    .option('--no-dns', 'leave DNS alone')
    .option('--no-ipv6', 'leave IPv6 alone')
    .addHelpText('after', CAPTURE_HELP)
    .action((_flags: unknown, command: Command) =>
      run(async () => (await import('../proxy/capture/capture-command.ts')).captureCommand(command.optsWithGlobals<ProxyCaptureFlags>())),
    );
}

const RUN_HELP = `
On SIGTERM: the agent is told, so that other clusters stop choosing this proxy; clients are asked to leave; Envoy ends when nothing is in
progress, or after --drain. A second signal ends it at once.

In a Pod the environment says who it is: HAWSER_CLUSTER, HAWSER_POD_NAME, HAWSER_POD_NAMESPACE, HAWSER_POD_IP, HAWSER_SERVICE_ACCOUNT,
HAWSER_POD_LABELS_FILE, HAWSER_PROXY_TOKEN_FILE, HAWSER_AGENT and HAWSER_AGENT_CA_PEM. Its name is then POD.NAMESPACE.

Examples:
  hawser proxy token --cluster us-east --namespace bookinfo --service-account reviews --out token
  hawser proxy run --cluster us-east --name reviews-v1 --namespace bookinfo --service-account reviews --address 127.77.1.11 --token-file token
  hawser proxy run --gateway --cluster us-east --name gateway --address 127.77.1.1 --token-file gateway-token
  hawser proxy run --edge --label istio=ingressgateway --cluster us-east --name ingress --namespace istio-ingress \\
    --service-account ingress --address 127.77.1.9 --token-file ingress-token
  hawser proxy run --outbound-gateway --cluster us-east --name outbound --address 127.77.1.8 --token-file outbound-token`;

function withIdentity(command: Command): Command {
  return command
    .option('--cluster <name>', 'cluster of the proxy')
    .option('--name <name>', 'name of the proxy, one of its kind in its cluster')
    .option('--namespace <name>', "the workload's namespace")
    .option('--service-account <name>', "the workload's service account")
    .option('--address <ip>', 'address of the workload, on which Envoy listens')
    .option('--token-file <file>', 'token of "hawser proxy token"; read anew while it runs')
    .option('--gateway', 'this is a gateway between clusters, not a sidecar')
    .option('--edge', 'this is an ingress or egress proxy: it serves the Istio Gateways that select its labels')
    .option(
      '--outbound-gateway',
      'it calls for workloads without a sidecar, which reach it at --address; its agent runs with --gateway-mode',
    )
    .option('--label <key=value>', 'a label that selectors choose the proxy by; may be repeated', repeated)
    .option('--workload-group <name>', 'the WorkloadGroup of its namespace that registers the workload')
    .option(
      '--agent <ip:port>',
      "the agent's xDS address, several with commas between (default: HAWSER_AGENT, else of the agent on this machine)",
    )
    .option('--agent-admin <ip:port>', "the agent's admin address (default: port 15014 of the same address)")
    .option('--admin-address <ip>', "of Envoy's admin interface (default: --address on loopback, else 127.0.0.1)")
    .option('--outbound-address <ip>', 'of loopback, where the workload calls it; one each where a machine has several (default: as above)')
    .option('--agent-ca <file>', "the cluster's trust bundle, to check the agent with (default: HAWSER_AGENT_CA, else beside the token)")
    .option('--capture', "the workload's traffic is led here by hawser proxy capture; run answers its DNS too")
    .option('--no-ipv6', 'hawser proxy capture was told to leave IPv6 alone: names have no IPv6 address')
    .option('--region <region>', 'where the proxy is, for statistics by locality')
    .option('--zone <zone>');
}

function addToken(proxy: Command, run: Run): void {
  proxy
    .command('token')
    .description("on the agent's machine: make a token that proves who a proxy is")
    .requiredOption('--cluster <name>', 'cluster of the proxy')
    .option('--namespace <name>', "the workload's namespace")
    .option('--service-account <name>', "the workload's service account")
    .option('--gateway', "a gateway's token: namespace and account are its own")
    .option('--edge', 'for an edge proxy, which is given the certificates of its namespace that Gateways name')
    .option('--name <name>', 'good for the proxy of this name alone')
    .option('--ttl <duration>', 'how long it is good', '720h')
    .option(
      '--out <file>',
      'write it there, readable by its owner alone, and the trust bundle beside it as FILE.ca (default: standard output)',
    )
    .option('--token-file <file>', 'the same as --out')
    .option('--identity-dir <dir>', "folder of the cluster's keys, where its agents share one (default: in the state folder)")
    .addHelpText('after', '\nExample:\n  hawser proxy token --cluster us-east --namespace bookinfo --service-account reviews --out token')
    .action((_flags: unknown, command: Command) =>
      run(async () => (await import('../proxy/token-command.ts')).tokenCommand(command.optsWithGlobals<ProxyTokenFlags>())),
    );
}
