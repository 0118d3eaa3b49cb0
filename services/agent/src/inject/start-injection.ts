/** Injection put together: the webhook, its certificate and CA, and what is said of Pods that have no sidecar. Loaded only where it is asked for. */
import { readFileSync } from 'node:fs';
import {
  type InjectionFile,
  type InjectionSettings,
  injectionSettings,
  readInjectionFile,
  sidecarMark,
} from '@hawser/model/injection/injection-settings.ts';
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import { type Counter, counter, type Registry } from '@hawser/runtime/metrics.ts';
import { parse } from 'yaml';
import type { ApiClient } from '../discover/kubernetes/api-client.ts';
import { apiClientOf } from '../discover/kubernetes/open-kubernetes.ts';
import type { RegistryPlace } from '../discover/registry-place.ts';
import type { Warnings } from '../report/warnings.ts';
import { serverCertificate } from '../trust/agent-certificate.ts';
import type { ClusterAuthority } from '../trust/authority.ts';
import { answerReview } from './admission.ts';
import { keepCaBundle } from './ca-bundle.ts';
import { followRestartHints } from './restart-hints.ts';
import { startWebhookServer } from './webhook-server.ts';

/** What it is given. */
export interface InjectionParts {
  /** Path of the settings. */
  readonly file: string;
  readonly place: RegistryPlace;
  readonly cluster: string;
  readonly authority: ClusterAuthority;
  readonly warnings: Pick<Warnings, 'standing'>;
  readonly registry: Registry;
  readonly log: Logger;
  /** Milliseconds between two looks at the configuration and at Pods; each has its own unless given. */
  readonly everyMs?: number;
}

/** A running one. */
export interface Injection {
  /** Of the webhook; undefined where the settings name none. */
  readonly port: number | undefined;
  stop(): Promise<void>;
}

const WEBHOOK_PORT = 15_017;

/** Starts it; throws `config-invalid` that names what in the file is not usable. */
export async function startInjection(parts: InjectionParts): Promise<Injection> {
  const { place, authority, warnings } = parts;
  if (place.kind !== 'kubernetes') throw new AppError('config-invalid', '--inject is for --kubernetes');
  const file = fileOf(parts.file);
  const settings = currentSettings(file, parts);
  const api = apiClientOf(place);
  const over = new AbortController();
  const every = parts.everyMs === undefined ? {} : { everyMs: parts.everyMs };
  void followRestartHints({
    ...{ ...every, api, settings: settings(), signal: over.signal },
    mark: () => sidecarMark(settings()),
    onHints: (said) => warnings.standing('injection', said),
  });
  const webhook = await startWebhook(file, parts, { api, settings, signal: over.signal }).catch((error: unknown) => {
    over.abort();
    api.close();
    throw error;
  });
  const stopFollowing = authority.onChange(() => webhook?.wake());
  return {
    port: webhook?.port,
    stop: async () => {
      stopFollowing();
      over.abort();
      await webhook?.stop();
      api.close();
    },
  };
}

interface Webhook {
  readonly port: number;
  wake(): void;
  stop(): Promise<void>;
}

async function startWebhook(
  { webhook }: InjectionFile,
  { authority, warnings, registry, log, everyMs }: InjectionParts,
  running: { readonly api: ApiClient; readonly settings: () => InjectionSettings; readonly signal: AbortSignal },
): Promise<Webhook | undefined> {
  if (webhook === undefined) return undefined;
  const { configuration, names, address = '0.0.0.0', port = WEBHOOK_PORT } = webhook;
  const reviews = injectionReviews(registry);
  const certificate = await serverCertificate(authority, names, log);
  const server = await startWebhookServer({
    ...{ address, port, certificate },
    answer: (content) => answerReview(content, running.settings()),
    onOutcome: (outcome) => reviews.inc({ outcome }),
  }).catch((error: unknown) => {
    certificate.stop();
    throw error;
  });
  const onProblem = (problem: string | undefined): void => warnings.standing('injection webhook', problem === undefined ? [] : [problem]);
  const bundle = (): string => authority.doorBundle;
  const every = everyMs === undefined ? {} : { everyMs };
  const wake =
    configuration === undefined ? () => undefined : keepCaBundle({ ...running, ...every, configuration, names, bundle, onProblem });
  log.info({ port: server.port, names }, 'sidecars are injected');
  return {
    port: server.port,
    wake,
    stop: async () => {
      certificate.stop();
      await server.stop();
    },
  };
}

/** The metric of it. */
export function injectionReviews(registry: Registry): Counter<'outcome'> {
  return counter(registry, 'agent_injection_reviews_total');
}

/** The settings of this moment: the CA and what signs the door may be others later. */
function currentSettings(file: InjectionFile, { cluster, authority }: InjectionParts): () => InjectionSettings {
  return () => injectionSettings(file, { cluster, agentCa: authority.doorBundle, door: authority.door.slice(0, 16) });
}

function fileOf(path: string): InjectionFile {
  let content: unknown;
  try {
    content = parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new AppError('config-invalid', `--inject (HAWSER_AGENT_INJECT): ${messageOf(error)}`, { cause: error });
  }
  const file = readInjectionFile(content);
  if (typeof file === 'string') throw new AppError('config-invalid', `--inject ${path}: ${file}`);
  return file;
}
