/** One health probe of one address: a TCP connect, or an HTTP GET. */
import { get } from 'node:http';
import { connect } from 'node:net';

/** `unknown`: the fault was this process's own, so it says nothing about the other side. */
export type ProbeResult = 'up' | 'down' | 'unknown';

/** Longest wait for an answer, milliseconds. */
export const PROBE_TIMEOUT_MS = 1000;
/** A timeout that is noticed this late came from a stalled event loop: the answer may be waiting to be read. */
const STALL_MS = 300;
/** Faults of the own machine, not of the one probed. */
const OWN_FAULTS: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EADDRNOTAVAIL', 'EAGAIN', 'EPERM', 'EACCES']);

/** Whether something accepts connections there. */
export function tcpProbe(address: string, port: number): Promise<ProbeResult> {
  return withDeadline((settle) => {
    const socket = connect({ host: address, port });
    socket.once('connect', () => settle('up'));
    socket.once('error', (error) => settle(resultOf(error)));
    return () => socket.destroy();
  });
}

/** Whether `GET http://ADDRESS:PORT/PATH` answers with 2xx or 3xx, as a kubelet's probe asks. */
export function httpProbe(address: string, port: number, path: string): Promise<ProbeResult> {
  return withDeadline((settle) => {
    const request = get({ host: address, port, path, agent: false, headers: { 'user-agent': 'hawser-health-check' } });
    request.once('response', (response) => {
      const { statusCode = 0 } = response;
      settle(statusCode >= 200 && statusCode < 400 ? 'up' : 'down');
    });
    request.once('error', (error) => settle(resultOf(error)));
    return () => request.destroy();
  });
}

function withDeadline(begin: (settle: (result: ProbeResult) => void) => () => void): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const started = performance.now();
    const settle = (result: ProbeResult): void => {
      clearTimeout(timer);
      resolve(result);
      close();
    };
    const timer = setTimeout(
      () => settle(performance.now() - started > PROBE_TIMEOUT_MS + STALL_MS ? 'unknown' : 'down'),
      PROBE_TIMEOUT_MS,
    );
    const close = begin(settle);
  });
}

function resultOf(error: Error): ProbeResult {
  return 'code' in error && typeof error.code === 'string' && OWN_FAULTS.has(error.code) ? 'unknown' : 'down';
}
