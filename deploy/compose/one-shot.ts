/** The one-shot services of docker-compose.yml: `one-shot.ts setup`, `one-shot.ts join`, `one-shot.ts bootstraps CLUSTER`. Each may run again. */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { registryFiles } from '../demo/registry.ts';
import { bootstrapCommands, CLUSTERS, joinCommands, PLACES, setupCommands, type Written } from './commands.ts';

const BIN = join(import.meta.dirname, '../../services/cli/bin/hawser.mjs');
/** User `node` of the image, who runs everything of ours; NATS and Envoy are told to run as it, too. */
const NODE_USER = 1000;
/** User `postgres` of the official image. */
const POSTGRES_USER = 999;

function hawser(argv: readonly string[], env: NodeJS.ProcessEnv = {}): string {
  const ended = spawnSync(process.execPath, [BIN, ...argv], { env: { ...process.env, ...env }, encoding: 'utf8' });
  process.stderr.write(ended.stderr);
  if (ended.status !== 0) throw new Error(`hawser ${argv.join(' ')} ended with ${ended.status ?? ended.signal}`);
  return ended.stdout;
}

function write({ argv, file }: Written, env: NodeJS.ProcessEnv = {}): void {
  const text = hawser(argv, env);
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(file, text, { mode: 0o600 });
}

/** Runs as root without a network: it makes keys and certificates, and gives every volume to who uses it. */
function setup(): void {
  const { hubState, postgresTls, natsConfig, natsData, registry, stateOf, proxiesOf } = PLACES;
  for (const argv of setupCommands()) hawser(argv);
  const [password, passFile] = [join(postgresTls, 'password'), join(hubState, 'pgpass')];
  if (!existsSync(password)) writeFileSync(password, randomBytes(24).toString('base64url'), { mode: 0o600 });
  writeFileSync(passFile, `postgres:5432:*:hawser:${readFileSync(password, 'utf8')}\n`, { mode: 0o600 });
  for (const cluster of CLUSTERS) {
    mkdirSync(join(registry, cluster.name), { recursive: true });
    for (const [name, content] of registryFiles(cluster)) writeFileSync(join(registry, cluster.name, name), content);
    for (const folder of [stateOf(cluster.name), proxiesOf(cluster.name)]) give(folder, NODE_USER);
  }
  give(postgresTls, POSTGRES_USER);
  for (const folder of [hubState, natsConfig, natsData, registry]) give(folder, NODE_USER);
}

function give(path: string, user: number): void {
  chownSync(path, user, user);
  if (lstatSync(path).isDirectory()) for (const name of readdirSync(path)) give(join(path, name), user);
}

function joinAll(): void {
  const token = readFileSync(join(PLACES.hubState, 'admin.token'), 'utf8').trim();
  for (const command of joinCommands()) write(command, { HAWSER_TOKEN: token });
}

function bootstraps(name: string): void {
  const cluster = CLUSTERS.find((one) => one.name === name);
  if (cluster === undefined) throw new Error(`no cluster ${name}: give one of ${CLUSTERS.map((one) => one.name).join(', ')}`);
  const commands = bootstrapCommands(cluster);
  for (const argv of commands.tokens) hawser(argv);
  for (const command of commands.bootstraps) write(command);
}

const [what, cluster = ''] = process.argv.slice(2);
if (what === 'setup') setup();
else if (what === 'join') joinAll();
else if (what === 'bootstraps') bootstraps(cluster);
else throw new Error('usage: one-shot.ts setup | join | bootstraps CLUSTER');
