import { expect, test } from 'vitest';
import { allocateTcpPorts } from './tcp-ports.ts';

test('every service has a port of its own in the range, however many there are', () => {
  const services = Array.from({ length: 4_000 }, (_, index) => ({ host: `s${index}.ns.svc.clusterset.local`, port: 5432 }));
  const ports = allocateTcpPorts(services).map(({ listenerPort }) => listenerPort);
  expect(new Set(ports).size).toBe(4_000);
  expect(Math.min(...ports)).toBe(16_000);
  expect(Math.max(...ports)).toBe(19_999);
});

test('a service keeps its port when others come and go, unless they share a slot', () => {
  const few = Array.from({ length: 20 }, (_, index) => ({ host: `s${index}.ns.svc.clusterset.local`, port: 5432 }));
  const more = [...few, { host: 'another.ns.svc.clusterset.local', port: 5432 }];
  const before = new Map(allocateTcpPorts(few).map((service) => [service.host, service.listenerPort]));
  const moved = allocateTcpPorts(more).filter(({ host, listenerPort }) => (before.get(host) ?? listenerPort) !== listenerPort);
  expect(moved).toEqual([]);
});
