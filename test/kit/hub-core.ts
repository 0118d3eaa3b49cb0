/** The hub's core on a real database, without a bus: what tests of the API start. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadHubConfig } from '@hawser/hub/config.ts';
import { createHubCore, type FleetView, type HubCore, type HubCoreParts } from '@hawser/hub/hub-core.ts';
import { createLogger } from '@hawser/runtime/logger.ts';
import { Registry } from '@hawser/runtime/metrics.ts';
import { generateSigner } from '@hawser/wire/signing.ts';
import { startTestPostgres, type TestPostgres } from './postgres.ts';

/** A core and how to call it. */
export interface TestHub {
  readonly core: HubCore;
  readonly stateDir: string;
  readonly adminToken: string;
  /** Calls the API with the administrator's token. */
  call(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    url: string,
    body?: unknown,
  ): Promise<{ readonly code: number; readonly body: ApiBody }>;
  stop(): Promise<void>;
}

/** The parts of an answer that tests look at. */
export interface ApiBody {
  readonly kind?: string;
  readonly apiVersion?: string;
  readonly reason?: string;
  readonly message?: string;
  readonly details?: { readonly causes?: readonly { readonly reason: string; readonly field: string; readonly message: string }[] };
  readonly metadata?: {
    readonly name?: string;
    readonly resourceVersion: string;
    readonly generation?: number;
    readonly continue?: string;
  };
  readonly spec?: unknown;
  readonly status?: {
    readonly token?: string;
    readonly usedAt?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly message: string }[];
  };
  readonly items?: readonly ApiBody[];
}

/** A fleet of which nothing is known. */
export const UNKNOWN_FLEET: FleetView = { knownServices: () => undefined, derived: () => [], conditionsOf: () => [] };

/** Starts a core on this database. */
export async function startTestHub(dsn: string, overrides: Partial<HubCoreParts> = {}): Promise<TestHub> {
  const stateDir = overrides.config?.stateDir ?? (await mkdtemp(join(tmpdir(), 'hawser-test-hub-')));
  const core = await createHubCore({
    config: loadHubConfig({ stateDir, publicUrl: 'http://127.0.0.1:8080', port: '0' }, {}),
    dsn,
    fleet: UNKNOWN_FLEET,
    issueNatsCredentials: ({ cluster }) => ({
      jwt: `jwt-of-${cluster}`,
      expiresAt: '2030-01-01T00:00:00Z',
      urls: ['nats://127.0.0.1:4222'],
    }),
    signingKeyPublic: generateSigner().publicKey,
    log: createLogger('test'),
    registry: new Registry(),
    ...overrides,
  });
  const adminToken = (await readFile(join(stateDir, 'admin.token'), 'utf8')).trim();
  const call: TestHub['call'] = async (method, url, body) => {
    const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    const headers = { authorization: `Bearer ${adminToken}`, ...(body === undefined ? {} : { 'content-type': type }) };
    const answer = await core.app.inject({ method, url, headers, ...(body === undefined ? {} : { payload: JSON.stringify(body) }) });
    return { code: answer.statusCode, body: answer.json<ApiBody>() };
  };
  const stop = async (): Promise<void> => {
    await core.stop();
    if (overrides.config === undefined) await rm(stateDir, { recursive: true, force: true });
  };
  return { core, stateDir, adminToken, call, stop };
}

/** A core with a server of its own, which goes with it. */
export interface TestHubOnPostgres extends TestHub {
  readonly postgres: TestPostgres;
}

/** Starts a server, and a core on a database of it: what a test file needs that has one hub for all of its tests. */
export async function startTestHubOnPostgres(): Promise<TestHubOnPostgres> {
  const postgres = await startTestPostgres();
  const hub = await startTestHub(await postgres.database());
  const stop = async (): Promise<void> => {
    await hub.stop();
    await postgres.stop();
  };
  return { ...hub, postgres, stop };
}
