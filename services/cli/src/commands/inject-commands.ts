/** `hawser kube-inject`. */
import type { Command } from 'commander';
import type { InjectFlags } from '../inject/inject-command.ts';
import type { Run } from './program.ts';

const HELP = `
Pods, Deployments, StatefulSets, DaemonSets, ReplicaSets, Jobs, CronJobs and lists of them are given the sidecar; everything else passes as
it is. Comments are lost. Injecting twice is injecting once. --settings takes the file that the agent's --inject takes.

Examples:
  hawser kube-inject -f app.yaml --cluster us-east --agent-ca ca.pem --settings injection.yaml | kubectl apply -f -
  kubectl get deployment web -o yaml | hawser kube-inject -f - --cluster us-east --agent-ca ca.pem \\
    --image registry.example/hawser-proxy:0.1.0 --agent hawser-agent.hawser-system.svc:15010`;

/** Adds it. */
export function addInjectCommands(program: Command, run: Run): void {
  program
    .command('kube-inject')
    .description('add sidecars to the Pods that files of Kubernetes objects describe')
    .requiredOption('-f, --filename <path...>', 'files, folders, or - for standard input')
    .requiredOption('--cluster <name>', 'the cluster that they are for')
    .requiredOption('--agent-ca <file>', "the cluster's trust bundle, by which proxies check the agent")
    .option('--settings <file>', 'what sidecars are made of, YAML')
    .option('--image <image>', 'hawser, Envoy and iptables')
    .option('--agent <host:port>', "the agent's xDS address as Pods reach it")
    .option('--revision <name>', 'default: default')
    .option('-n, --namespace <name>', 'of objects that name none')
    .option('--no-capture', 'no iptables: the workload calls through port 15001')
    .addHelpText('after', HELP)
    .action((_flags: unknown, command: Command) =>
      run(async () => (await import('../inject/inject-command.ts')).injectCommand(command.optsWithGlobals<InjectFlags>())),
    );
}
