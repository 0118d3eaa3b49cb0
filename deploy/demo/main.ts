/** `npm run demo`: a federation of three regions on this machine, with an application and traffic. See `--help`. */
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { endOrphans, readDemoFile, removeDemoFile } from './demo-file.ts';
import type { Fleet } from './fleet.ts';
import { prepareKubernetes } from './kubernetes/prepare.ts';
import { createNarrator, type Narrator } from './narrator.ts';
import { offerDrill } from './offered-drill.ts';
import { type DemoOptions, OptionError, readOptions, USAGE } from './options.ts';
import { takenPorts } from './ports.ts';
import { runsArgv } from './processes.ts';
import { clustersOf, startDemo } from './start.ts';
import { runScenario, STEPS } from './steps/scenario.ts';
import { stopFleet, sweepFleet } from './stop.ts';
import { summary } from './summary.ts';
import { listenersOf } from './topology.ts';

/** Setup is done when this runs: run.mjs saw to it. */
const started = performance.now();

/** How often `demo.json` is brought up to date. */
const RECORD_MS = 1_000;

/** A reason not to start, for people. */
class Refusal extends Error {}

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2), process.env);
  if (options === 'help') {
    console.log(USAGE);
    return 0;
  }
  const unknown = options.only.find((name) => !STEPS.some((step) => step.name === name));
  if (unknown !== undefined) throw new OptionError(`--only ${unknown}: the steps are ${STEPS.map(({ name }) => name).join(', ')}`);
  if (options.report !== undefined) closeSync(openSync(options.report, 'a')); // found out now, not after ten minutes
  const say = createNarrator(process.stdout, started);
  process.once('exit', await prepareKubernetes(clustersOf(options), say));
  // What is made once on a machine is setup.
  const begun = options.kubernetes ? performance.now() : started;
  const told = createNarrator(process.stdout, begun);
  await clearTheWay(options, told);
  return runDemo(options, told, begun);
}

/** Cleans up after a demo that was killed, and makes sure of the ports. */
async function clearTheWay(options: DemoOptions, say: Narrator): Promise<void> {
  mkdirSync(options.stateDir, { recursive: true, mode: 0o700 });
  const earlier = readDemoFile(options.stateDir);
  if (earlier !== undefined) {
    if (runsArgv(earlier.demo.pid, earlier.demo.argv) && earlier.demo.pid !== process.pid)
      throw new Refusal(
        `a demo with this state folder runs already (pid ${earlier.demo.pid}); end it with Ctrl-C there, or choose another --state-dir`,
      );
    const ended = await endOrphans(earlier);
    if (ended > 0) say.done(`ended ${ended} processes that an earlier demo had left`);
    removeDemoFile(options.stateDir);
  }
  const control = [
    { port: options.hubPort, user: 'the hub' },
    { port: options.ingressPort, user: 'the ingress' },
    ...(options.databaseUrl === undefined ? [{ port: options.postgresPort, user: 'PostgreSQL' }] : []),
    ...(options.natsUrl === undefined ? [{ port: options.natsPort, user: 'NATS' }] : []),
  ].map((listener) => ({ address: '127.0.0.1', ...listener }));
  const taken = await takenPorts([...control, ...clustersOf(options).flatMap(listenersOf)]);
  const shown = taken.slice(0, 5).map((line) => `\n  ${line}`);
  const more = taken.length > 5 ? `\n  … and ${taken.length - 5} more` : '';
  if (taken.length > 0)
    throw new Refusal(`the demo cannot start:${shown.join('')}${more}\nEnd what holds them, or choose others with ${PORT_VARIABLES}.`);
}

const PORT_VARIABLES = 'HAWSER_HUB_PORT, HAWSER_INGRESS_PORT, HAWSER_POSTGRES_PORT, HAWSER_NATS_PORT, HAWSER_LOOPBACK_BASE';

/** Up, then the scenario or a wait for Ctrl-C, then down, whatever happened. */
async function runDemo(options: DemoOptions, say: Narrator, begun: number): Promise<number> {
  let fleet: Fleet | undefined;
  const interrupted = onInterrupt();
  process.on('exit', () => fleet !== undefined && sweepFleet(fleet)); // also after a crash of the demo itself
  const work = async (): Promise<number> => {
    setInterval(() => fleet?.save(), RECORD_MS).unref(); // the hub may have replaced a server of its own
    const demo = await startDemo(options, say, { started: begun, onFleet: (made) => (fleet = made) });
    if (options.once) return (await runScenario(demo, options.report, options.only)) ? 0 : 1;
    say.plain(summary(demo, process.stdin.isTTY));
    if (process.stdin.isTTY) offerDrill(demo, process.stdin);
    return new Promise(() => {}); // until interrupted
  };
  try {
    return await Promise.race([work(), interrupted]);
  } finally {
    if (fleet !== undefined) await stopFleet(fleet, say); // demo.json stays: who reads it now finds that none of it lives
  }
}

/** Resolves with 130 at the first SIGINT, SIGTERM or SIGHUP. npm passes Ctrl-C on, so it comes twice: repeats change nothing. */
function onInterrupt(): Promise<number> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve(signal === 'SIGINT' ? 130 : 143));
  });
}

try {
  process.exitCode = await main();
} catch (error) {
  const text = error instanceof Error ? error.message : String(error);
  const stack = process.env['HAWSER_DEBUG'] !== undefined && error instanceof Error ? `\n${error.stack}` : '';
  process.stderr.write(`demo: ${text}${stack}\n`);
  process.exitCode = error instanceof OptionError ? 2 : 1;
}
process.exit();
