/** What the probe of a WorkloadGroup must be. */
import { describe, expect, it } from 'vitest';
import type { WorkloadGroupProbe } from '../specs.ts';
import { workloadGroupProblems } from './workload-group.ts';

function problems(probe: WorkloadGroupProbe): string[] {
  return workloadGroupProblems({ template: {}, probe }).map(({ steps, message }) => `${steps.join('.')} ${message}`);
}

describe('the probe of a WorkloadGroup', () => {
  it.each<[string, WorkloadGroupProbe]>([
    ['httpGet', { httpGet: { port: 80, path: '/a?b=c', host: 'localhost', scheme: 'HTTPS', httpHeaders: [{ name: 'Host', value: 'a' }] } }],
    ['tcpSocket', { tcpSocket: { port: 80, host: '127.0.0.1' } }],
    ['grpc', { grpc: { port: 80, service: 'reviews' } }],
    ['exec', { exec: { command: ['/bin/true'] }, periodSeconds: 0, failureThreshold: 3 }],
  ])('may be %s', (_kind, probe) => {
    expect(problems(probe)).toEqual([]);
  });

  it.each<[string, WorkloadGroupProbe]>([
    ['probe must have exactly one of', {}],
    ['probe must have exactly one of', { grpc: { port: 1 }, tcpSocket: { port: 1 } }],
    ['probe.grpc.port is required', { grpc: {} }],
    ['probe.exec.command is empty', { exec: { command: [] } }],
    ['probe.tcpSocket.port is 0', { tcpSocket: { port: 0 } }],
    ['probe.tcpSocket.host is a b', { tcpSocket: { port: 1, host: 'a b' } }],
    ['probe.httpGet.scheme is ftp', { httpGet: { port: 1, scheme: 'ftp' } }],
    ['probe.httpGet.path is /a b', { httpGet: { port: 1, path: '/a b' } }],
    ['probe.httpGet.httpHeaders.0 is "a b"', { httpGet: { port: 1, httpHeaders: [{ name: 'a b', value: '' }] } }],
    ['probe.httpGet.httpHeaders.0 is "a"', { httpGet: { port: 1, httpHeaders: [{ name: 'a', value: 'b\r\nc: d' }] } }],
    ['probe.periodSeconds is -1', { tcpSocket: { port: 1 }, periodSeconds: -1 }],
  ])('%s', (expected, probe) => {
    expect(problems(probe)).toEqual([expect.stringContaining(expected)]);
  });
});
