import { describe, expect, it } from 'vitest';
import { shardOf } from './fleet-fixture.ts';
import { serviceImports } from './service-imports.ts';
import { summaryOf } from './shard-summary.ts';

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

  it('is what the oldest export says, with all ports that any has', () => {
    const facts = (createdAt: string, type: 'Headless' | 'ClusterSetIP', port: number) => ({
      export: { createdAt, type, ports: [{ name: 'dns', protocol: 'UDP' as const, port }] },
    });
    const old = { ...shardOf('west', 'db', []), ...facts('2026-01-01T00:00:00Z', 'Headless', 53) };
    const young = { ...shardOf('east', 'db', []), ...facts('2026-01-02T00:00:00Z', 'ClusterSetIP', 54) };
    expect(serviceImports([young, old].map(summaryOf))[0]?.spec).toEqual({
      type: 'Headless',
      ports: [{ name: 'dns', port: 53, protocol: 'UDP' }],
    });
  });
});
