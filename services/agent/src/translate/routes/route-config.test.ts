import { create, fromBinary } from '@bufbuild/protobuf';
import { VirtualHostSchema } from '@hawser/xds/generated/envoy/config/route/v3/route_components_pb.ts';
import { RouteConfigurationSchema } from '@hawser/xds/generated/envoy/config/route/v3/route_pb.ts';
import { expect, test } from 'vitest';
import { sizeOf } from '../../snapshot/resource.ts';
import { OUTBOUND } from '../names.ts';
import { type EncodedHost, encodedHost, routeConfiguration } from './route-config.ts';

function host(index: number, domain = `host-${index}`): EncodedHost {
  return encodedHost(create(VirtualHostSchema, { name: `host-${String(index).padStart(3, '0')}`, domains: [domain] }));
}

test('a configuration with one other host shares all pieces but one, and is what it would be from scratch', () => {
  const hosts = Array.from({ length: 200 }, (_, index) => host(index));
  const before = routeConfiguration(OUTBOUND, hosts);
  const after = routeConfiguration(OUTBOUND, hosts.with(100, host(100, 'another')));
  const scratch = routeConfiguration(
    OUTBOUND,
    Array.from({ length: 200 }, (_, index) => host(index, index === 100 ? 'another' : undefined)),
  );

  const shared = new Set(before.pieces?.slice(1));
  const own = after.pieces?.slice(1).filter((piece) => !shared.has(piece));
  expect(own).toHaveLength(1);
  expect(shared.size).toBeGreaterThan(4);
  expect(after.version).not.toBe(before.version);
  expect([scratch.version, scratch.pieces?.length]).toEqual([after.version, after.pieces?.length]);
  expect(Buffer.compare(scratch.bytes, after.bytes)).toBe(0);
  expect(sizeOf(after)).toBe(after.bytes.length);
  const named = fromBinary(RouteConfigurationSchema, after.bytes).virtualHosts.map(({ domains }) => domains[0]);
  expect(named).toEqual(['*', ...hosts.map((_, index) => (index === 100 ? 'another' : `host-${index}`))]);
});
