/** `hawser kube-inject`: sidecars by hand, for clusters without the webhook and for whoever wants to see what it adds. */
import { readFileSync } from 'node:fs';
import {
  type InjectionFile,
  type InjectionSettings,
  injectionSettings,
  readInjectionFile,
} from '@hawser/model/injection/injection-settings.ts';
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import { parse } from 'yaml';
import type { GlobalFlags } from '../commands/connect-hub.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { readSources } from '../manifest/read-sources.ts';
import { note } from '../output/print.ts';
import { terminal } from '../output/terminal.ts';
import { label } from '../proxy/proxy-flags.ts';
import { injectObject } from './inject-objects.ts';
import { kubeYaml, readKubeYaml } from './kube-yaml.ts';

/** Flags of `kube-inject`. */
export interface InjectFlags extends GlobalFlags {
  readonly filename: readonly string[];
  readonly cluster: string;
  readonly agentCa: string;
  readonly settings?: string;
  readonly image?: string;
  readonly agent?: string;
  readonly revision?: string;
  readonly namespace?: string;
  /** False by `--no-capture`. */
  readonly capture: boolean;
}

/** Runs the command: all that it read on stdout, and on stderr what became of it. Nothing is printed when something cannot be read. */
export async function injectCommand(flags: InjectFlags): Promise<ExitCode> {
  const settings = settingsOf(flags);
  const sources = await readSources(flags.filename);
  const objects = sources.flatMap(({ file, text }) => readKubeYaml(file, text));
  const injected = objects.map((object) => injectObject(object, settings, flags.namespace));
  terminal().stdout.write(kubeYaml(injected.map(({ object }) => object)));
  for (const text of injected.flatMap(({ notes }) => notes)) note(text);
  return EXIT.done;
}

function settingsOf(flags: InjectFlags): InjectionSettings {
  const { image, agent, revision } = flags;
  const given = { image, agent, revision, capture: flags.capture ? undefined : false };
  const written = Object.entries(given).filter(([, value]) => value !== undefined);
  const content = { ...(flags.settings === undefined ? {} : contentOf(flags.settings)), ...Object.fromEntries(written) };
  const file = readInjectionFile(content);
  if (typeof file === 'string') throw new AppError('usage', `--settings, --image, --agent, --revision: ${file}`);
  const agentCa = readText('--agent-ca', flags.agentCa);
  if (!agentCa.includes('-----BEGIN CERTIFICATE-----'))
    throw new AppError('usage', `--agent-ca: ${flags.agentCa} holds no certificate in PEM; it is ca.pem of the agent's folder`);
  return injectionSettings(file, { cluster: label('--cluster', flags.cluster), agentCa, door: '' });
}

function contentOf(path: string): Partial<InjectionFile> {
  const text = readText('--settings', path);
  try {
    const content: unknown = parse(text);
    if (content !== null && typeof content === 'object') return content;
  } catch (error) {
    throw new AppError('usage', `--settings ${path}: ${messageOf(error)}`);
  }
  throw new AppError('usage', `--settings ${path}: holds no settings of injection`);
}

function readText(flag: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new AppError('usage', `${flag}: ${messageOf(error)}`);
  }
}
