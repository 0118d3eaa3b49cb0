/** `hawser drain start` and `plan`: what would be moved and what its destinations would bear, and then the moving. */
import type { DrainSpec } from '@hawser/model/drain.ts';
import type { DrainPlan } from '@hawser/wire/drain.ts';
import type { HubClient } from '../client/hub-client.ts';
import { connectHub } from '../commands/connect-hub.ts';
import { durationFlag } from '../commands/duration-flag.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { note, print, printJson } from '../output/print.ts';
import { typedConsent } from '../output/typed-consent.ts';
import { type DrainResource, planLines } from './drain-lines.ts';
import { type DrainFlags, nameFor, specFrom } from './drain-request.ts';
import { drainPath, listDrains } from './drains.ts';
import { followDrain, showDrain } from './follow-drain.ts';

/** Flags of `start`. */
export interface StartFlags extends DrainFlags {
  readonly name?: string;
  readonly yes?: boolean;
  readonly wait: boolean;
  readonly timeout?: string;
}

/** `plan`: 0 when the drain may be started, 1 when a rule refuses it. */
export async function planCommand(region: string | undefined, flags: DrainFlags): Promise<ExitCode> {
  const spec = specFrom(region, flags);
  const plan = await planned(connectHub(flags), spec);
  if (flags.output === 'json') printJson(plan);
  else for (const line of planLines(plan, spec.scope)) print(line);
  return plan.refusals.length === 0 ? EXIT.done : EXIT.failed;
}

/** `start`: 0 when it is drained (or begun, with `--no-wait`), 1 when it was refused or ended otherwise, 4 when the time was over. */
export async function startCommand(region: string | undefined, flags: StartFlags): Promise<ExitCode> {
  const timeoutMs = flags.timeout === undefined ? Number.POSITIVE_INFINITY : durationFlag('--timeout', flags.timeout);
  const spec = specFrom(region, flags);
  const hub = connectHub(flags);
  // An emergency does not wait for a forecast.
  if (flags.yes !== true && !(await agreed(hub, spec))) return EXIT.failed;
  const taken = new Set((await listDrains(hub)).map(({ metadata }) => metadata.name));
  const name = flags.name ?? nameFor(spec.scope, taken);
  const body = { apiVersion: 'hawser.dev/v1alpha1', kind: 'Drain', metadata: { name }, spec };
  const drain = (await hub.send({ method: 'POST', path: drainPath(), body })) as DrainResource;
  if (flags.wait) return await followDrain(hub, drain, { flags, until: 'Drained', timeoutMs });
  showDrain(drain, flags);
  return EXIT.done;
}

async function planned(hub: HubClient, spec: DrainSpec): Promise<DrainPlan> {
  return (await hub.send({ method: 'POST', path: '/hawser/v1/drain-plans', body: { spec } })) as DrainPlan;
}

/** Shows what would be done, and has its place typed. */
async function agreed(hub: HubClient, spec: DrainSpec): Promise<boolean> {
  const plan = await planned(hub, spec);
  for (const line of planLines(plan, spec.scope)) note(line);
  if (plan.refusals.length > 0) return false;
  const name = Object.values(spec.scope).find((value) => value !== undefined) ?? '';
  return await typedConsent({ name, verb: 'drain it', unattended: 'say --yes to do it' });
}
