/** A registry of many services with an endpoint each, and the changes that a benchmark makes to them. */
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { monotonic } from './ads-program.ts';

/** Namespace of the services. */
export const MANY = 'many';
/** What the address of a changed endpoint begins with; `CC.1AA.1BB` follows: the change is number 10,000 CC + 100 AA + BB. */
export const MARKER = '10.1';
/** How many changes have an address of their own. */
const MOST_CHANGES = 1_000_000;

/** Name of service number i. */
export function serviceName(index: number): string {
  return `svc-${String(index).padStart(4, '0')}`;
}

/** The upstream cluster, and so the assignment, of service number i. */
export function assignmentName(index: number): string {
  return `outbound|80||${serviceName(index)}.${MANY}.svc.cluster.local`;
}

/** The address that a service's endpoint has before any change. All addresses are of one length. */
export function firstAddress(index: number): string {
  return spelled(11, index);
}

/** The address that change number n gives to an endpoint. */
export function changedAddress(number: number): string {
  return spelled(10, number);
}

function spelled(first: number, number: number): string {
  if (number >= MOST_CHANGES) throw new Error(`${number} is beyond the last address`);
  return [first, 100 + Math.floor(number / 10_000), 100 + (Math.floor(number / 100) % 100), 100 + (number % 100)].join('.');
}

/** Writes the services' files. Their endpoints are not checked: nothing runs there, and checks are not what is measured. */
export function writeServices(registryDir: string, count: number): void {
  for (let index = 0; index < count; index += 1) {
    const metadata = { name: serviceName(index), namespace: MANY, annotations: { 'hawser.dev/health-check': 'none' } };
    const spec = { ports: [{ name: 'http', port: 80, targetPort: 9080, protocol: 'TCP' }] };
    writeFileSync(join(registryDir, `${serviceName(index)}.yaml`), stringify({ apiVersion: 'v1', kind: 'Service', metadata, spec }));
    writeFileSync(sliceFile(registryDir, index), slice(index, firstAddress(index)));
  }
}

/** Gives a service's endpoint another address, by a rename; returns when it did, in microseconds of the monotonic clock. */
export function changeEndpoint(registryDir: string, index: number, address: string): number {
  const file = sliceFile(registryDir, index);
  const next = join(registryDir, '..', 'next.yaml'); // outside, so that only the rename is an event
  writeFileSync(next, slice(index, address));
  const at = monotonic();
  renameSync(next, file);
  return at;
}

function sliceFile(registryDir: string, index: number): string {
  return join(registryDir, `${serviceName(index)}-endpoints.yaml`);
}

function slice(index: number, address: string): string {
  const metadata = { name: serviceName(index), namespace: MANY, labels: { 'kubernetes.io/service-name': serviceName(index) } };
  const endpoints = [{ addresses: [address], conditions: { ready: true } }];
  const ports = [{ name: 'http', port: 9080, protocol: 'TCP' }];
  return stringify({ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', metadata, addressType: 'IPv4', endpoints, ports });
}
