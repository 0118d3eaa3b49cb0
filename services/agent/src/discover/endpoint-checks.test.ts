import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { EndpointChecks } from './endpoint-checks.ts';
import type { CheckTarget } from './health-check.ts';
import { httpProbe, type ProbeResult, tcpProbe } from './probe.ts';

const target = (port: number): CheckTarget => ({ address: '127.79.6.1', port, check: { kind: 'tcp' } });

/** Checks whose probes answer as told, by port; what is not told is up. */
function scripted(failing?: readonly string[]) {
  const answers = new Map<number, ProbeResult>();
  let changes = 0;
  const checks = new EndpointChecks({
    onChange: () => {
      changes += 1;
    },
    onRound: () => undefined,
    sidecarPort: 15006,
    probe: async ({ port }) => answers.get(port) ?? 'up',
    ...(failing === undefined ? {} : { failing }),
  });
  checks.setTargets([target(9080), target(9081)]);
  const round = async (next: Record<number, ProbeResult>): Promise<string | undefined> => {
    for (const [port, result] of Object.entries(next)) answers.set(Number(port), result);
    await checks.round();
    return checks.healthOf('127.79.6.1', [9080]);
  };
  return { checks, round, changes: () => changes };
}

describe('EndpointChecks', () => {
  it('takes two failures in a row to fail, and one success to recover', async () => {
    const { round, changes } = scripted();
    expect(await round({})).toBeUndefined();
    expect(await round({ 9080: 'down' })).toBeUndefined();
    expect(await round({ 9080: 'up' })).toBeUndefined();
    expect(await round({ 9080: 'down' })).toBeUndefined();
    expect(await round({})).toBe('UNHEALTHY');
    expect(changes()).toBe(1);
    expect(await round({ 9080: 'up' })).toBeUndefined();
    expect(changes()).toBe(2);
  });

  it('counts the sidecar only once it has been up', async () => {
    const never = scripted();
    for (let i = 0; i < 3; i++) expect(await never.round({ 15006: 'down' })).toBeUndefined();
    const once = scripted();
    await once.round({ 15006: 'up' });
    await once.round({ 15006: 'down' });
    expect(await once.round({})).toBe('UNHEALTHY');
  });

  it('does not ask for a sidecar where there is none', async () => {
    const asked: number[] = [];
    const probe = async ({ port }: { port: number }) => {
      asked.push(port);
      return 'up' as const;
    };
    const checks = new EndpointChecks({ onChange: () => undefined, onRound: () => undefined, sidecarPort: 15006, probe });
    checks.setTargets([{ address: '10.0.0.1', port: 9080, check: { kind: 'tcp' }, bare: true }]);
    await checks.round();
    expect(asked).toEqual([9080]);
  });

  it('waits for the inbound port of a connected sidecar before a new endpoint is healthy', async () => {
    const healthy = Promise.withResolvers<void>();
    let isOpen = false;
    const checks = new EndpointChecks({
      onChange: () => healthy.resolve(),
      onRound: () => undefined,
      hasSidecar: (address) => address === '127.79.6.1',
      probe: async ({ port }) => (port !== 15006 || isOpen ? 'up' : 'down'),
      sidecarPort: 15006,
      periodMs: 60_000,
    });
    checks.start();
    const other = { ...target(9080), address: '127.79.6.2' };
    expect(checks.setTargets([target(9080), other])).toBe(true);
    expect(checks.healthOf('127.79.6.1', [9080])).toBe('UNHEALTHY');
    expect(checks.healthOf('127.79.6.2', [9080])).toBeUndefined();
    expect(checks.setTargets([target(9080), other])).toBe(false);
    isOpen = true;
    await healthy.promise;
    expect(checks.healthOf('127.79.6.1', [9080])).toBeUndefined();
    checks.stop();
  });

  it('learns nothing from its own faults', async () => {
    const { round } = scripted();
    await round({ 9080: 'down' });
    for (let i = 0; i < 3; i++) expect(await round({ 9080: 'unknown' })).toBeUndefined();
    expect(await round({ 9080: 'down' })).toBe('UNHEALTHY');
  });

  it('remembers over a restart what failed, the sidecar included', async () => {
    const { checks, round } = scripted(['127.79.6.1|15006', '127.79.6.1|9081']);
    expect(checks.healthOf('127.79.6.1', [9080])).toBe('UNHEALTHY');
    expect(checks.failing()).toEqual(['127.79.6.1|15006', '127.79.6.1|9081']);
    expect(await round({ 15006: 'down' })).toBe('UNHEALTHY');
    expect(await round({ 15006: 'up' })).toBeUndefined();
  });

  it('forgets what is no longer there, and keeps the health of what stays', async () => {
    const { checks, round } = scripted();
    await round({ 9080: 'down' });
    await round({});
    checks.setTargets([target(9080)]);
    expect(checks.failing()).toEqual(['127.79.6.1|9080']);
    checks.setTargets([]);
    expect(checks.failing()).toEqual([]);
  });
});

describe('probes', () => {
  const servers: Server[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });
  const listening = async (server: Server): Promise<number> => {
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.79.6.1', resolve));
    return (server.address() as AddressInfo).port;
  };

  it('finds a listener up, and down once it is closed', async () => {
    const server = createServer((socket) => socket.on('error', () => undefined));
    const port = await listening(server);
    expect(await tcpProbe('127.79.6.1', port)).toBe('up');
    await new Promise((resolve) => server.close(resolve));
    expect(await tcpProbe('127.79.6.1', port)).toBe('down');
  });

  it('asks by HTTP, and calls 5xx and silence down', async () => {
    const port = await listening(
      createHttpServer((request, response) => {
        if (request.url === '/hang') return;
        response.statusCode = request.url === '/healthz' ? 204 : 503;
        response.end();
      }),
    );
    expect(await httpProbe('127.79.6.1', port, '/healthz')).toBe('up');
    expect(await httpProbe('127.79.6.1', port, '/other')).toBe('down');
    expect(await httpProbe('127.79.6.1', port, '/hang')).toBe('down');
  });
});
