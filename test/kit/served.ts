/** What an agent of this process serves, and waiting for it. */
import { setTimeout as wait } from 'node:timers/promises';
import type { RunningAgent } from '@hawser/agent/agent.ts';

const DEADLINE_MS = 60_000;

/** Polls until the condition holds; fails with the complaint after 60 s, unless told otherwise. */
export async function eventually(
  condition: () => boolean | Promise<boolean>,
  complaint: string | (() => string),
  deadlineMs = DEADLINE_MS,
): Promise<void> {
  for (const end = Date.now() + deadlineMs; !(await condition()); await wait(10))
    if (Date.now() > end) throw new Error(typeof complaint === 'string' ? complaint : complaint());
}

/** Resolves when the agent knows everything and has compiled it. */
export function ready(agent: RunningAgent): Promise<void> {
  return new Promise((resolve) => agent.loop.onReady(resolve));
}

/** The name of the assignment of a service of `bookinfo`. */
export function assignmentOf(service: string): string {
  return `outbound|80||${service}.bookinfo.svc.clusterset.local`;
}

/** The text of the assignment of a service of `bookinfo`: it holds the addresses in clear. */
export function servedBy(agent: RunningAgent, service = 'reviews'): string {
  return Buffer.from(agent.store.get('sidecar', 'EDS', assignmentOf(service))?.bytes ?? []).toString('latin1');
}

/** `LAYER TYPE NAME VERSION` of everything in the shared layers, sorted. */
export function versionsOf(agent: RunningAgent): string[] {
  const types = ['LDS', 'RDS', 'CDS', 'EDS'] as const;
  const layers = ['sidecar', 'gateway'] as const;
  return types
    .flatMap((type) =>
      layers.flatMap((layer) => [...agent.store.all(layer, type).values()].map((one) => `${layer} ${type} ${one.name} ${one.version}`)),
    )
    .sort();
}
