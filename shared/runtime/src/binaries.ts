/** Where the programs come from that Hawser does not bring itself: Envoy and nats-server. */
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { AppError } from './app-error.ts';

const TOOLS = join(import.meta.dirname, '../../../.tools/bin');

/** Envoy: `HAWSER_ENVOY_BIN`, else `envoy` on PATH, else the wheel's. */
export function envoyBinary(): string {
  return find('envoy', 'HAWSER_ENVOY_BIN');
}

/** nats-server: `HAWSER_NATS_BIN`, else `nats-server` on PATH, else the wheel's. */
export function natsServerBinary(): string {
  return find('nats-server', 'HAWSER_NATS_BIN');
}

function find(name: string, variable: string): string {
  const wanted = process.env[variable];
  if (wanted !== undefined && wanted !== '') {
    if (!executable(wanted)) throw new AppError('binary-missing', `${variable} is ${wanted}, which is not an executable file`);
    return wanted;
  }
  const onPath = (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, name));
  const found = [...onPath, join(TOOLS, name)].find(executable);
  if (found === undefined)
    throw new AppError('binary-missing', `${name} is not installed: run npm run setup, or set ${variable} to its path`);
  return found;
}

function executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return existsSync(path);
  } catch {
    return false;
  }
}
