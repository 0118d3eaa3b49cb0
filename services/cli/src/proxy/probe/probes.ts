/** One probe of a workload, as a kubelet makes it: HTTP GET, TCP connect, gRPC health check or a command. */
import { spawn } from 'node:child_process';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import type { WorkloadProbe } from '@hawser/wire/workload-health.ts';
import { grpcProbe } from './grpc-probe.ts';

/** Where and how it is made. */
export interface ProbeContext {
  /** The workload's; probes without a host of their own go there. */
  readonly address: string;
  /** Whether commands may be run. */
  readonly allowExec: boolean;
  readonly timeoutMs: number;
}

/** Resolves when the workload is well; rejects with the reason otherwise, at the latest after the time limit. */
export async function makeProbe({ exec, grpc, httpGet, tcpSocket }: WorkloadProbe, context: ProbeContext): Promise<void> {
  const { address, allowExec, timeoutMs } = context;
  const over = AbortSignal.timeout(timeoutMs);
  if (httpGet !== undefined) return httpProbe({ ...httpGet, host: httpGet.host || address }, over);
  if (tcpSocket !== undefined) return tcpProbe({ host: tcpSocket.host || address, port: tcpSocket.port }, over);
  if (grpc !== undefined) return grpcProbe({ host: address, port: grpc.port ?? 0, service: grpc.service ?? '' }, over);
  if (exec === undefined) throw new Error('the probe is of a kind that this release does not know');
  if (!allowExec) throw new Error('its probe is a command, which is run here only with hawser proxy run --exec-probe');
  return execProbe(exec.command, over);
}

type HttpGet = NonNullable<WorkloadProbe['httpGet']> & { readonly host: string };

/** 2xx and 3xx are success; certificates are not verified, for a probe is no caller (Kubernetes). */
function httpProbe({ host, port, path = '/', scheme, httpHeaders = [] }: HttpGet, signal: AbortSignal): Promise<void> {
  const headers: Record<string, string> = { 'user-agent': 'hawser-probe' };
  for (const { name = '', value = '' } of httpHeaders) headers[name.toLowerCase()] = value;
  const options = { host, port, path, headers, agent: false, signal } as const;
  return new Promise((resolve, reject) => {
    const isTls = scheme?.toUpperCase() === 'HTTPS';
    const request = isTls ? httpsRequest({ ...options, rejectUnauthorized: false }) : httpRequest(options);
    request.once('response', (response) => {
      const { statusCode = 0 } = response;
      if (statusCode >= 200 && statusCode < 400) resolve();
      else reject(new Error(`it answered ${statusCode}`));
      request.destroy();
    });
    request.on('error', (error) => reject(signal.aborted ? new Error('no answer in time') : error));
    request.end();
  });
}

function tcpProbe({ host, port }: { readonly host: string; readonly port: number }, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    const settle = (error?: Error): void => {
      if (error === undefined) resolve();
      else reject(error);
      socket.destroy();
    };
    socket.once('connect', () => settle());
    socket.once('error', settle);
    signal.addEventListener('abort', () => settle(new Error('no connection in time')), { once: true });
  });
}

/** Without a shell and without the environment of Hawser itself; exit code 0 is success. */
function execProbe(command: readonly string[], signal: AbortSignal): Promise<void> {
  const [file = '', ...args] = command;
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('HAWSER_')));
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { env, stdio: 'ignore', signal, killSignal: 'SIGKILL' });
    child.once('error', (error) => reject(signal.aborted ? new Error(`${file} did not end in time`) : error));
    child.once('exit', (code, killedBy) => {
      if (code === 0) resolve();
      else reject(new Error(`${file} ended with ${code ?? killedBy}`));
    });
  });
}
