/** A chart's objects, as Helm renders them: the one program that knows charts, on the operator's machine. */

import { spawn } from 'node:child_process';
import type { KubeObject } from '@hawser/model/kube-object.ts';
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import { parseAllDocuments } from 'yaml';
import { terminal } from '../output/terminal.ts';

/** What to render. */
export interface ChartOrder {
  /** Folder or package of the chart. */
  readonly chart: string;
  readonly release: string;
  readonly namespace: string;
  /** Release of the API server, such as `v1.34.4`: a chart says which it is for. */
  readonly kubeVersion: string;
  /** Files of values, the last one wins… */
  readonly valueFiles: readonly string[];
  /** …over all of which these do. */
  readonly values: object;
}

/** A chart that is fetched from elsewhere takes its time. */
const DEADLINE_MS = 60_000;
const SAID_CHARS = 4_000;

/** The program: `HAWSER_HELM_BIN`, else `helm` on PATH. */
export function helmProgram(): string {
  const wanted = terminal().env['HAWSER_HELM_BIN'];
  return wanted === undefined || wanted === '' ? 'helm' : wanted;
}

/** The objects, definitions of the chart first. Throws `helm-missing`, or `chart-refused` with what Helm says: names of values and why. */
export async function renderedChart(order: ChartOrder): Promise<readonly KubeObject[]> {
  const files = [...order.valueFiles, '-'].flatMap((file) => ['--values', file]);
  const args = [
    'template',
    order.release,
    order.chart,
    '--namespace',
    order.namespace,
    '--include-crds',
    '--kube-version',
    order.kubeVersion,
    ...files,
  ];
  const text = await runHelm(args, JSON.stringify(order.values)); // JSON is YAML
  return parseAllDocuments(text).flatMap((document): KubeObject | [] => {
    if (document.errors.length > 0)
      throw new AppError('chart-refused', `${order.chart} renders no YAML: ${document.errors[0]?.message ?? ''}`);
    return (document.toJS() as KubeObject | null) ?? [];
  });
}

/** The release of Helm that is there, such as `v3.19.5`; throws `helm-missing`. */
export async function helmVersion(): Promise<string> {
  return (await runHelm(['version', '--template', '{{.Version}}'], '')).trim();
}

async function runHelm(args: readonly string[], input: string): Promise<string> {
  const program = helmProgram();
  const { env } = terminal();
  const child = spawn(program, args, { env, timeout: DEADLINE_MS, killSignal: 'SIGKILL' });
  const said = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    said.stdout += part;
  });
  child.stderr.setEncoding('utf8').on('data', (part: string) => {
    said.stderr = (said.stderr + part).slice(-SAID_CHARS);
  });
  child.stdin.on('error', () => undefined); // it ended without reading: its status says why
  child.stdin.end(input);
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once('error', (error) => reject(missing(program, error)));
    child.once('close', resolve);
  });
  if (status === 0) return said.stdout;
  throw new AppError(
    'chart-refused',
    `${program} ${args.slice(0, 3).join(' ')}: ${status === null ? 'no answer in time' : said.stderr.trim()}`,
  );
}

function missing(program: string, error: unknown): AppError {
  const wayOut = 'install Helm 3 (https://helm.sh) or name it with HAWSER_HELM_BIN';
  return new AppError('helm-missing', `${program} cannot be started (${messageOf(error)}), and charts are rendered by it: ${wayOut}`);
}
