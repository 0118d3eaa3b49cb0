/** Starts the services; the one place where the command line meets them. */
import { AppError } from '@hawser/runtime/app-error.ts';

type ServiceFlags = Readonly<Record<string, string | undefined>>;
type RunService = (flags: ServiceFlags) => Promise<unknown>;

/** `hawser hub run`; resolves when the hub has stopped. */
export async function hubRun(flags: ServiceFlags): Promise<number> {
  return runService('@hawser/hub/main.ts', 'runHub', flags);
}

/** `hawser hub nats-config`. */
export async function hubNatsConfig(flags: ServiceFlags): Promise<number> {
  return runService('@hawser/hub/main.ts', 'printNatsConfig', flags);
}

/** `hawser agent run`; resolves when the agent has stopped. */
export async function agentRun(flags: ServiceFlags): Promise<number> {
  return runService('@hawser/agent/main.ts', 'runAgent', flags);
}

async function runService(module: string, name: string, flags: ServiceFlags): Promise<number> {
  const loaded = (await import(module)) as Record<string, unknown>;
  const run = loaded[name];
  if (typeof run !== 'function') throw new AppError('not-implemented', `${module} has no ${name}`);
  const exit = await (run as RunService)(flags);
  return typeof exit === 'number' ? exit : 0;
}
