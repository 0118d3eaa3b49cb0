import { describe, expect, it } from 'vitest';
import { shardOf } from './fleet-fixture.ts';
import { serviceImports } from './service-imports.ts';

describe('serviceImports', () => {
  it('makes one import of each exported service, with the clusters that export it', () => {
    const imports = serviceImports([
      shardOf('us-west', 'reviews', ['HEALTHY']),
      shardOf('eu-west', 'reviews', []),
      shardOf('us-west', 'details', ['HEALTHY']),
      shardOf('us-west', 'private', ['HEALTHY'], false),
    ]);
    expect(imports.map((one) => [one.metadata.name, one.status?.clusters.map(({ cluster }) => cluster)])).toEqual([
      ['details', ['us-west']],
      ['reviews', ['eu-west', 'us-west']],
    ]);
    expect(imports[0]?.spec).toEqual({ type: 'ClusterSetIP', ports: [{ name: 'http', port: 80, protocol: 'TCP', appProtocol: 'http' }] });
  });

  it('joins the ports of all exporters; the first cluster by name decides for a port', () => {
    const west = { ...shardOf('west', 'db', []), ports: [{ port: 90, protocol: 'tcp' as const }] };
    const east = {
      ...shardOf('east', 'db', []),
      ports: [
        { port: 90, protocol: 'http' as const },
        { port: 80, protocol: 'http' as const },
      ],
    };
    const [first] = serviceImports([west, east]);
    expect(first?.spec.ports.map(({ port, appProtocol }) => [port, appProtocol])).toEqual([
      [80, 'http'],
      [90, 'http'],
    ]);
  });
});
