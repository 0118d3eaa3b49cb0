/** The benchmarks' Go program against a real agent: the peer serves what the agent serves, and the client sees changes of both. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import { agentFolder } from '@hawser/agent/feed/membership.ts';
import { ClusterLoadAssignmentSchema } from '@hawser/xds/generated/envoy/config/endpoint/v3/endpoint_pb.ts';
import { expect, test } from 'vitest';
import { startFederation } from '../kit/federation.ts';
import { available } from '../kit/requirements.ts';
import { adsProgram } from './ads-program.ts';
import { writeServices } from './many-services.ts';
import { assignmentsIn, SIDES, XdsRig } from './xds-rig.ts';

const SERVICES = 20;
const CLIENTS = 5;

test.skipIf(!available('go'))(
  'agent and go-control-plane serve one client the same resources, and the same changes',
  { timeout: 900_000 },
  async () => {
    const program = await adsProgram();
    const folder = mkdtempSync(join(tmpdir(), 'hawser-rig-'));
    const federation = await startFederation(['us-east']);
    const cluster = federation.cluster('us-east');
    writeServices(cluster.registryDir, SERVICES);
    await federation.configure('us-east', 1);
    const agent = await cluster.start();
    const place = {
      ...{ cluster: 'us-east', agentDir: agentFolder(federation.folder, 'us-east'), registryDir: cluster.registryDir, folder },
      ...{ xds: `127.0.0.1:${agent.xdsPort}`, pid: process.pid, peerListen: '127.0.0.1:0' },
    };
    const rig = new XdsRig(place, { services: SERVICES, clients: CLIENTS }, program);
    try {
      const [clusters = 0, assignments, listeners, routes] = await rig.start();
      expect({ assignments, listeners, routes }).toEqual({ assignments: SERVICES, listeners: 1, routes: 1 });
      expect(clusters).toBeGreaterThanOrEqual(SERVICES);
      for (const sotw of [false, true]) {
        for (const side of SIDES) {
          const fleet = await rig.connect(side, { sotw });
          for (const service of [3, 3, 7]) {
            const times = await rig.delivered(fleet, rig.change(side, fleet, service));
            expect(times).toHaveLength(CLIENTS);
            expect(Math.min(...times)).toBeGreaterThan(0);
          }
          await fleet.process.stop();
        }
      }
      // The same changes, made to both: then they serve the same. The peer encodes anew, a oneof after the other fields.
      const fleets = { ours: await rig.connect('ours'), peer: await rig.connect('peer') };
      for (const service of [3, 7]) await rig.changeBoth(fleets, service);
      const [ours, peer] = [await rig.dump('ours'), await rig.dump('peer')];
      expect(peer.counts).toEqual(ours.counts);
      expect(messagesIn(peer.file)).toEqual(messagesIn(ours.file));
      for (const side of SIDES) await fleets[side].process.stop();
    } finally {
      await rig.stop();
      await agent.stop();
      await federation.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  },
);

/** The assignments of a dump, decoded, with how many bytes each has. */
function messagesIn(file: string): Map<string, unknown> {
  const decoded = [...assignmentsIn(readFileSync(file))].map(([name, bytes]): [string, unknown] => [
    name,
    { bytes: bytes.length, message: fromBinary(ClusterLoadAssignmentSchema, bytes) },
  ]);
  return new Map(decoded);
}
