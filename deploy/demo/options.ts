/** What the demo was asked for: flags over `HAWSER_*` over defaults. */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { PORTS } from '@hawser/model/ports.ts';

/** Where a federation keeps its state, and what it listens on. */
export interface FleetOptions {
  /** Absolute. */
  readonly stateDir: string;
  readonly databaseUrl: string | undefined;
  readonly natsUrl: string | undefined;
  readonly hubPort: number;
  readonly postgresPort: number;
  readonly natsPort: number;
  /** What every agent is told beside its place, as flags of `hawser agent run`. */
  readonly agentFlags?: readonly string[];
}

/** Settings of one demo. */
export interface DemoOptions extends FleetOptions {
  readonly once: boolean;
  readonly report: string | undefined;
  readonly only: readonly string[];
  /** One of the clusters is on Kubernetes. */
  readonly kubernetes: boolean;
  /** First two parts of every cluster's addresses. */
  readonly loopbackBase: string;
  readonly ingressPort: number;
}

/** A flag or variable that makes no sense. */
export class OptionError extends Error {}

export const USAGE = `npm run demo -- [--once] [--report FILE] [--only STEP]… [--kubernetes] [--state-dir DIR] [--database-url URL] [--nats-url URL]

Without --once the federation stays up until Ctrl-C. With it, the scripted scenario runs, its figures are printed (and
written to FILE), and the exit code says whether all of them hold. --only runs chosen steps of the scenario.

--kubernetes makes a mixed federation: us-west is a cluster on Kubernetes, its agent reads a real kube-apiserver, its
proxies show tokens of their Pods. Needs etcd and, to build that server once (minutes), Go 1.26; and root, or once
"sudo ip address add 10.77.2.1/24 dev lo", for Kubernetes takes no loopback address for a Pod.`;

/** Reads flags and environment; throws `OptionError` with a sentence. */
export function readOptions(args: string[], env: NodeJS.ProcessEnv): DemoOptions | 'help' {
  const text = { type: 'string' } as const;
  const flags = {
    once: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
    report: text,
    kubernetes: { type: 'boolean' },
    only: { ...text, multiple: true },
  } as const;
  let values: ReturnType<typeof parse>;
  const parse = () => parseArgs({ args, options: { ...flags, 'state-dir': text, 'database-url': text, 'nats-url': text } }).values;
  try {
    values = parse();
  } catch (error) {
    throw new OptionError(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
  }
  if (values.help === true) return 'help';
  const only = (values.only ?? []).flatMap((step) => step.split(','));
  return {
    stateDir: resolve(values['state-dir'] ?? (env['HAWSER_STATE_DIR'] || '.hawser')),
    once: values.once === true || only.length > 0,
    report: values.report,
    only,
    kubernetes: values.kubernetes === true,
    databaseUrl: values['database-url'] ?? (env['HAWSER_DATABASE_URL'] || undefined),
    natsUrl: values['nats-url'] ?? (env['HAWSER_NATS_URL'] || undefined),
    loopbackBase: loopbackBase(env['HAWSER_LOOPBACK_BASE'] || '127.77'),
    hubPort: port(env, 'HAWSER_HUB_PORT', PORTS.hub),
    postgresPort: port(env, 'HAWSER_POSTGRES_PORT', PORTS.postgres),
    natsPort: port(env, 'HAWSER_NATS_PORT', PORTS.nats),
    ingressPort: port(env, 'HAWSER_INGRESS_PORT', 8081),
  };
}

function loopbackBase(text: string): string {
  const part = /^127\.(\d{1,3})$/.exec(text)?.[1];
  if (part === undefined || Number(part) > 255) throw new OptionError(`HAWSER_LOOPBACK_BASE is ${text}: must be 127.0 to 127.255`);
  return text;
}

function port(env: NodeJS.ProcessEnv, name: string, fallback: number): number {
  const value = Number(env[name] || fallback);
  if (!Number.isInteger(value) || value < 1 || value > 65_535) throw new OptionError(`${name} is ${env[name]}: must be a port, 1 to 65535`);
  return value;
}
