import { create } from '@bufbuild/protobuf';
import { ClusterLoadAssignmentSchema } from '@hawser/xds/generated/envoy/config/endpoint/v3/endpoint_pb.ts';
import { expect, test } from 'vitest';
import type { XdsResource } from '../snapshot/resource.ts';
import { brokenAssignment, danglingRoutes, unpairedClusters } from './invariants.ts';
import { placed, ResourceLedger } from './resource-ledger.ts';
import type { EncodedHost } from './routes/route-config.ts';
import { RouteTable } from './routes/route-table.ts';

function resource(type: XdsResource['type'], name: string): XdsResource {
  return { type, name, version: 'v', bytes: new Uint8Array() };
}

function host(name: string, domain: string): EncodedHost {
  return { name, domains: [domain], version: 'v', field: new Uint8Array(), clusters: ['there', 'gone'], copiesTo: [], opensBlock: false };
}

test('a gap in priorities and a weight of 0 are found', () => {
  const endpoints = [
    { priority: 0, loadBalancingWeight: 0 },
    { priority: 2, loadBalancingWeight: 1 },
  ];
  const message = create(ClusterLoadAssignmentSchema, { clusterName: 'c', endpoints });
  expect(brokenAssignment(message)).toEqual(['c has priority 2 without 1', 'c has a weight of 0']);
  expect(brokenAssignment(create(ClusterLoadAssignmentSchema, { clusterName: 'c' }))).toEqual([]);
});

test('a cluster without an assignment, and an assignment without a cluster, are found', () => {
  const unit = placed('sidecar', [
    resource('CDS', 'a'),
    resource('EDS', 'a'),
    resource('CDS', 'b'),
    resource('EDS', 'c'),
    resource('SDS', 'd'),
  ]);
  expect(unpairedClusters(unit)).toEqual([
    'sidecar b lacks its cluster or its assignment',
    'sidecar c lacks its cluster or its assignment',
  ]);
});

test('a route to a cluster that is not there is found', () => {
  expect(danglingRoutes([host('h', 'd')], (name) => name === 'there')).toEqual(['h leads to gone, which is not there']);
});

test('a domain of two virtual hosts is found', () => {
  const [a, b, c] = [host('a', 'd'), host('b', 'd'), host('c', 'e')];
  const table = new RouteTable();
  const both = new Map([
    ['one', [a, c]],
    ['two', [b]],
  ]);
  expect(table.stage(both).shared).toEqual(['d belongs to a and to b']);
  table.commit(table.stage(new Map([['one', [a, c]]])));
  expect(table.stage(new Map([['two', [b]]])).shared).toEqual(['d belongs to a and to b']);
});

test('a domain may move from one virtual host to another, and the hosts stay in order', () => {
  const table = new RouteTable();
  table.commit(table.stage(new Map([['one', [host('c', 'e'), host('a', 'd')]]])));
  const moved = table.stage(
    new Map([
      ['one', [host('c', 'e')]],
      ['two', [host('b', 'd')]],
    ]),
  );
  expect(moved.shared).toEqual([]);
  expect(moved.sorted.map(({ name }) => name)).toEqual(['b', 'c']);
});

test('a name that two units claim is found, in one batch and over two', () => {
  const ledger = new ResourceLedger();
  ledger.commit(new Map([['one', placed('sidecar', [resource('CDS', 'a')])]]));
  expect(ledger.conflicts(new Map([['two', placed('sidecar', [resource('CDS', 'a')])]]))).toEqual([
    'sidecar CDS a comes from two and from one',
  ]);
  expect(ledger.conflicts(new Map([['two', placed('gateway', [resource('CDS', 'a')])]]))).toEqual([]);
  expect(ledger.conflicts(new Map([['two', placed('sidecar', [resource('EDS', 'x'), resource('EDS', 'x')])]]))).toHaveLength(1);
});
