/** A real Prometheus that scrapes what a test exposes, for checks that ask it and for alerts that it evaluates. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { freePort } from './ports.ts';

const START_MS = 40_000;

/** One that runs. */
export interface TestPrometheus {
  readonly url: string;
  /** What it scrapes from now on, four times a second: the text format of Prometheus. */
  expose(metrics: string): void;
  /** `GET` of its API, the `data` of the answer. */
  ask<T>(path: string): Promise<T>;
  stop(): Promise<void>;
}

/** Resolves when it is ready and has scraped what is exposed once. A rule file that it does not take ends it, and rejects. */
export async function startPrometheus(exposed: string, ruleFiles: readonly string[] = []): Promise<TestPrometheus> {
  let metrics = exposed;
  const target = createServer((_request, response) => {
    response.setHeader('content-type', 'text/plain; version=0.0.4').end(metrics);
  }).listen(0, '127.0.0.1');
  await once(target, 'listening');
  const folder = mkdtempSync(join(tmpdir(), 'hawser-prometheus-'));
  const address = `127.0.0.1:${await freePort()}`;
  const every = '250ms';
  const config = {
    global: { scrape_interval: every, scrape_timeout: every, evaluation_interval: every },
    rule_files: [...ruleFiles],
    scrape_configs: [{ job_name: 'test', static_configs: [{ targets: [`127.0.0.1:${(target.address() as AddressInfo).port}`] }] }],
  };
  writeFileSync(join(folder, 'prometheus.yml'), stringify(config));
  const place = [`--config.file=${join(folder, 'prometheus.yml')}`, `--storage.tsdb.path=${join(folder, 'tsdb')}`];
  const child = spawn('prometheus', [...place, `--web.listen-address=${address}`, '--log.level=warn'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const url = `http://${address}`;
  const ask = async <T>(path: string): Promise<T> => {
    const answer = await fetch(url + path, { signal: AbortSignal.timeout(10_000) });
    return ((await answer.json()) as { readonly data: T }).data;
  };
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    await new Promise((resolve) => target.close(resolve).closeAllConnections());
    rmSync(folder, { recursive: true, force: true });
  };
  const hasScraped = async (): Promise<boolean> => {
    const { result } = await ask<{ result: readonly { value: [number, string] }[] }>('/api/v1/query?query=up').catch(() => ({
      result: [],
    }));
    return result[0]?.value[1] === '1';
  };
  for (const end = Date.now() + START_MS; !(await hasScraped()); await new Promise((resolve) => setTimeout(resolve, 100))) {
    if (child.exitCode === null && Date.now() < end) continue;
    await stop();
    throw new Error(`Prometheus does not scrape: ${said}`);
  }
  const expose = (text: string): void => {
    metrics = text;
  };
  return { url, expose, ask, stop };
}
