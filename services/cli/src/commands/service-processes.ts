/** Starts the services; the one place where the command line meets them. */
import { AppError } from '@hawser/runtime/app-error.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';

type ServiceFlags = Readonly<Record<string, string | undefined>>;

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

/** `hawser agent run`; resolves when the agent has stopped. */
export async function agentRun(flags: ServiceFlags): Promise<ExitCode> {
  const module: string = '@hawser/agent/main.ts';
  const { runAgent } = (await import(module)) as { runAgent?: (flags: ServiceFlags) => Promise<unknown> };
  if (runAgent === undefined) throw new AppError('not-implemented', `${module} has no runAgent`);
  await runAgent(flags);
  return EXIT.done;
}
