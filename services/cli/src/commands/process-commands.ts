/** Commands that run the services: hub and agent, each in this process. */
import type { Command } from 'commander';
import type { LocalDrainFlags } from '../drain/local-drain-command.ts';
import type { Run } from './program.ts';
import type { ServiceFlags } from './service-processes.ts';

/** Adds them. */
export function addProcessCommands(program: Command, run: Run): void {
  const hub = program.command('hub').description('the hub');
  hub
    .command('run')
    .description('run a hub; without URLs it brings its own PostgreSQL and NATS')
    .option('--database-url <dsn>', 'an external PostgreSQL, 15 or newer')
    .option(
      '--nats-url <url>',
      'an external NATS with JetStream, configured by "hawser hub nats-config"; several servers with commas between',
    )
    .option('--nats-replicas <n>', 'copies of what NATS stores (default: 3 where NATS is a cluster, else 1)')
    .option('--keys-dir <dir>', 'keys that all replicas of a hub share: copies of one folder (default: STATE_DIR/hub/keys)')
    .option('--address <ip>', 'address of the API (default: 127.0.0.1)')
    .option('--port <port>', 'port of the API (default: 8080)')
    .option('--postgres-port <port>', 'of its own PostgreSQL (default: 5432)')
    .option('--nats-port <port>', 'of its own NATS (default: 4222)')
    .option('--public-url <url>', 'how agents reach this hub (default: from address and port)')
    .option('--tls <mode>', 'auto: beyond loopback; on: on loopback too; off: never (default: auto)')
    .option('--tls-cert <file>', "the API's certificate chain, PEM, read anew when it changes (default: of the hub's own authority)")
    .option('--tls-key <file>', 'its key')
    .option('--tls-ca <file>', 'the CA that signed it, for join tokens to pin (default: agents trust the roots of their system)')
    .option('--nats-address <ip>', 'address of its own NATS (default: 127.0.0.1)')
    .option(
      '--private-bundle-endpoints <mode>',
      'on: bundles of external trust domains may be fetched from private addresses (default: off)',
    )
    .option('--private-check-endpoints <mode>', 'on: http checks of policies may ask at private addresses (default: off)')
    .option('--integrations <file>', 'YAML that names the Prometheus servers that checks may ask, and the webhooks that are notified')
    .option('--nats-ca-file <file>', 'the CA of an external NATS (default: the roots of the system)')
    .addHelpText(
      'after',
      '\nExamples:\n  hawser hub run\n  hawser hub run --address 0.0.0.0 --nats-address 0.0.0.0 --public-url https://hub.example:8080\n  hawser hub run --database-url "postgres://hawser@db/hawser?sslmode=verify-full" --nats-url tls://nats:4222',
    )
    .action((_flags: unknown, command: Command) => run(async () => (await import('./service-processes.ts')).hubRun(hubFlags(command))));
  hub
    .command('nats-config')
    .description('print what an external nats-server must be configured with')
    .option('--out <file>', 'write it there (default: standard output)')
    .option('--database-url <dsn>', "the hub's database: shuts out clusters that were removed")
    .option('--tls-cert <file>', 'certificate chain on the machine of that server')
    .option('--tls-key <file>', 'its key')
    .action((_flags: unknown, command: Command) =>
      run(async () => (await import('./service-processes.ts')).hubNatsConfig(hubFlags(command))),
    );
  hub
    .command('certificate')
    .description("issue a certificate of the hub's serving authority for a server beside the hub, such as NATS or PostgreSQL")
    .requiredOption('--name <names>', 'host names and IP addresses of the server, separated by commas')
    .requiredOption('--out <dir>', 'folder for tls.crt, tls.key and ca.crt')
    .option('--days <days>', 'its life', '90')
    .addHelpText('after', '\nExample:\n  hawser hub certificate --name nats,10.0.0.5 --out ./nats-tls')
    .action((_flags: unknown, command: Command) =>
      run(async () => (await import('./service-processes.ts')).hubCertificate(hubFlags(command))),
    );
  addAgent(program, run);
}

function addAgent(program: Command, run: Run): void {
  const agent = program.command('agent').description("a cluster's agent");
  addLocalDrain(agent, run);
  agent
    .command('run')
    .description('run the agent of a cluster; the token is needed once, to join')
    .option('--token <token>', 'join token, of "hawser cluster join"')
    .option('--token-file <file>', 'file that holds it, for the sake of process lists')
    .option('--cluster <name>', 'which cluster, when this state folder has joined several')
    .option('--identity-dir <dir>', "folder of the cluster's keys, shared by its agents (default: in the state folder)")
    .option(
      '--ca-key-file <file>',
      "32 bytes in base64 or hex that the cluster's signing keys are encrypted with (default: HAWSER_CA_KEY, else made in the identity folder)",
    )
    .option('--registry-dir <dir>', 'folder of Service, EndpointSlice, WorkloadEntry and ServiceExport files')
    .option('--kubernetes', "take them from the cluster's API server instead, as the Pod's service account")
    .option('--kubeconfig <file>', 'with --kubernetes, from outside of the cluster')
    .option('--context <name>', 'of the kubeconfig (default: its current one)')
    .option('--secret-namespace <namespace...>', 'with --kubernetes: where edge proxies may have TLS Secrets of (default: nowhere)')
    .option('--edge-account <namespace/name...>', 'with --kubernetes: service accounts whose Pods may be edge proxies (default: none)')
    .option('--import-endpoint-slices', 'with --kubernetes: give ServiceImports EndpointSlices of the clusters that export them')
    .option('--inject <file>', 'with --kubernetes: serve the webhook that adds sidecars, as this file of settings says')
    .option('--trust-config-map <namespace/name>', "with --kubernetes: keep the cluster's trust bundle in this ConfigMap, as ca.pem")
    .option('--address <ip>', 'address of xDS (default: 127.0.0.1)')
    .option('--tls <mode>', 'of xDS; auto: beyond loopback; on: on loopback too; off: never (default: auto)')
    .option('--admin-address <ip>', 'address of the admin door (default: that of xDS on loopback, else 127.0.0.1)')
    .option('--virtual-range <cidr>', 'addresses that names of the mesh resolve to, for captured workloads (default: 240.240.0.0/12)')
    .option('--send-all-up-to <upstreams>', 'of more, a sidecar is sent what policy and recent use call for (default: 100)')
    .option('--xds-port <port>', 'default: 15010')
    .option('--admin-port <port>', 'default: 15014')
    .option('--gateway <ip:port...>', "where the cluster's gateways accept tunnels")
    .option('--gateway-mode', "the cluster's gateways speak for workloads without a sidecar")
    .option(
      '--outbound-gateway <namespace/name>',
      'with --gateway-mode: the Service of the proxies that call for them (default: hawser-system/hawser-outbound)',
    )
    .addHelpText(
      'after',
      '\nExample:\n  hawser agent run --token "$(cat token)" --registry-dir ./registry --address 127.77.1.1\n\nA second agent of the same cluster shares the identity of the first and has a state folder of its own:\n  hawser agent run --cluster us-east --identity-dir .hawser/agents/us-east --state-dir .hawser-2 --registry-dir ./registry --address 127.77.1.2',
    )
    .action((_flags: unknown, command: Command) =>
      run(async () => (await import('./service-processes.ts')).agentRun(serviceFlags(command))),
    );
}

function addLocalDrain(agent: Command, run: Run): void {
  agent
    .command('drain')
    .description("on the agent's machine, when there is no hub to ask: take its cluster out for an hour at most")
    .option('--local', 'by the agent alone, as it has to be said')
    .option('--cluster <name>', 'which cluster, where the state folder has several agents')
    .option('--region <name>', 'every cluster of this region that has its agent here')
    .option('--ttl <duration>', 'when it ends by itself, at most 1h', '1h')
    .option('--reason <text>', 'why, for whoever sees it later')
    .option('--off', 'end it')
    .option('--token-file <file>', "the agent's admin token (default: admin.token of its folder)")
    .addHelpText('after', LOCAL_DRAIN_HELP)
    .action((_flags: unknown, command: Command) =>
      run(async () => (await import('../drain/local-drain-command.ts')).localDrainCommand(command.optsWithGlobals<LocalDrainFlags>())),
    );
}

const LOCAL_DRAIN_HELP = `
The proxies of the cluster obey at once, those of others while NATS lives. The hub shows it when it is back (hawser drain status), and
takes it over by a drain of the same place; until then it ends with its time, or with --off.

Examples:
  hawser agent drain --local --cluster us-east --ttl 30m --reason "it answers with errors, the hub is gone"
  hawser agent drain --local --off`;

/** A hub has no hub whose CA it could be told. */
function hubFlags(command: Command): ServiceFlags {
  const { caFile: _caFile, ...flags } = serviceFlags(command);
  return flags;
}

/** `--server` is for clients; everything else goes to the service as it is. */
function serviceFlags(command: Command): ServiceFlags {
  const { server, verbose, ...flags } = command.optsWithGlobals<Record<string, string | undefined>>();
  return flags;
}
