/** Starts the services; the one place where the command line meets them. */
import { EXIT, type ExitCode } from '../exit-code.ts';

/** Flags as the services read them: camel case, text. */
export type ServiceFlags = Readonly<Record<string, string | undefined>>;

/** `hawser hub run`; resolves when the hub has stopped. */
export async function hubRun(flags: ServiceFlags): Promise<ExitCode> {
  const { runHub } = await import('@hawser/hub/main.ts');
  await runHub(flags);
  return EXIT.done;
}

/** `hawser hub nats-config`. */
export async function hubNatsConfig(flags: ServiceFlags): Promise<ExitCode> {
  const { printNatsConfig } = await import('@hawser/hub/main.ts');
  await printNatsConfig(flags);
  return EXIT.done;
}

/** `hawser hub certificate`. */
export async function hubCertificate(flags: ServiceFlags): Promise<ExitCode> {
  const { writeCertificate } = await import('@hawser/hub/main.ts');
  await writeCertificate(flags);
  return EXIT.done;
}

/** `hawser agent run`; resolves when the agent has stopped. */
export async function agentRun(flags: ServiceFlags): Promise<number> {
  const { runAgent } = await import('@hawser/agent/main.ts');
  return runAgent(flags);
}
