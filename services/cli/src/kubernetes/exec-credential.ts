/**
 * Credentials that a program makes (`users[].user.exec` of a kubeconfig), as EKS, GKE and AKS have them: client-go's protocol, ExecCredential of
 * client.authentication.k8s.io. For people alone: an agent runs unattended, and refuses such a kubeconfig.
 */
import { spawnSync } from 'node:child_process';
import { dirname, resolve } from 'node:path';
import type { MadeCredential } from '@hawser/agent/discover/kubernetes/api-access.ts';
import { AppError } from '@hawser/runtime/app-error.ts';
import { terminal } from '../output/terminal.ts';

/** What is read of `exec`. */
interface ExecConfig {
  readonly apiVersion?: string;
  readonly command?: string;
  readonly args?: readonly string[] | null;
  readonly env?: readonly { readonly name: string; readonly value: string }[] | null;
  readonly installHint?: string;
}

interface ExecCredential {
  readonly kind?: string;
  readonly apiVersion?: string;
  readonly status?: { readonly token?: string; readonly clientCertificateData?: string; readonly clientKeyData?: string };
}

/** It may open a browser and wait for somebody. */
const DEADLINE_MS = 120_000;
const VERSION = /^client\.authentication\.k8s\.io\/(v1|v1beta1)$/;

/** Runs the program, which may ask whoever sits there; throws `config-invalid` that names the kubeconfig and what went wrong. */
export function execCredential(exec: unknown, kubeconfig: string): MadeCredential {
  const { apiVersion = '', command = '', args, env, installHint } = (exec ?? {}) as ExecConfig;
  const fail = (message: string): AppError => new AppError('config-invalid', `--kubeconfig ${kubeconfig}: users[].user.exec: ${message}`);
  if (command === '') throw fail('it names no command');
  if (!VERSION.test(apiVersion)) throw fail(`apiVersion ${JSON.stringify(apiVersion)} is not client.authentication.k8s.io/v1 or v1beta1`);
  const info = JSON.stringify({ apiVersion, kind: 'ExecCredential', spec: { interactive: process.stdin.isTTY === true } });
  const own = Object.fromEntries((env ?? []).map(({ name, value }) => [name, value]));
  // As client-go has it: a path is of the kubeconfig's folder, a name is looked for on PATH.
  const { status, stdout, error } = spawnSync(command.includes('/') ? resolve(dirname(kubeconfig), command) : command, args ?? [], {
    env: { ...terminal().env, ...own, KUBERNETES_EXEC_INFO: info },
    encoding: 'utf8',
    stdio: ['inherit', 'pipe', 'inherit'],
    timeout: DEADLINE_MS,
  });
  if (error !== undefined) throw fail(`${command}: ${error.message}${installHint === undefined ? '' : `; ${installHint.trim()}`}`);
  if (status !== 0) throw fail(`${command} ended with ${status ?? 'a signal'}`);
  const made = parsed(stdout);
  if (made?.kind !== 'ExecCredential' || made.apiVersion !== apiVersion)
    throw fail(`${command} printed no ExecCredential of ${apiVersion}`);
  const { token, clientCertificateData, clientKeyData } = made.status ?? {};
  if (token === undefined && (clientCertificateData === undefined || clientKeyData === undefined))
    throw fail(`${command} made neither a token nor a certificate with its key`);
  return { token, certificate: clientCertificateData, key: clientKeyData };
}

function parsed(text: string): ExecCredential | undefined {
  try {
    return JSON.parse(text) as ExecCredential;
  } catch {
    return undefined;
  }
}
