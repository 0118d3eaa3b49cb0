import { describe, expect, it } from 'vitest';
import { ISTIO_KINDS, istioFields, refusal } from './schemas.ts';

describe.each([...ISTIO_KINDS.keys()])('the fields of %s', (kind) => {
  const fields = istioFields(kind);

  it('are those of Istio, each once, each with what it is for', () => {
    expect(fields.length).toBeGreaterThan(5);
    expect(new Set(fields.map(({ path }) => path)).size).toBe(fields.length);
    for (const { path, description } of fields) expect(description, path).toMatch(/^[A-Z].{8,}[.]$/);
  });

  it('are refused for a reason, and no reason is for a field that Istio does not have, or twice', () => {
    const known = new Set(fields.map(({ path }) => path));
    const refused = Object.entries(ISTIO_KINDS.get(kind)?.refused ?? {});
    for (const [path, reason] of refused) {
      expect(known, path).toContain(path);
      expect(reason).toMatch(/^\S.*[^.]$/);
      expect(refused.filter(([other]) => path.startsWith(`${other}.`))).toEqual([]);
    }
  });
});

describe('a refusal', () => {
  it('is found by the place in the spec, whatever else the spec says', () => {
    expect(refusal('DestinationRule', ['trafficPolicy', 'tunnel', 'protocol'])).toBeDefined();
    expect(refusal('DestinationRule', ['subsets', 3, 'trafficPolicy', 'tunnel'])).toBeDefined();
  });

  it('is not for what is served, what Istio does not have, or kinds that are not Istio’s', () => {
    expect(refusal('VirtualService', ['http', 0, 'match', 1, 'uri', 'prefix'])).toBeUndefined();
    expect(refusal('VirtualService', ['http', 0, 'match', 0, 'headers', 'x-user', 'exact'])).toBeUndefined();
    expect(refusal('VirtualService', ['http', 0, 'bar'])).toBeUndefined();
    expect(refusal('VirtualService', ['toString'])).toBeUndefined();
    expect(refusal('TrafficShift', ['regions'])).toBeUndefined();
  });
});
