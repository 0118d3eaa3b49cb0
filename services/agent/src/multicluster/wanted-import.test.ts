import type { MergedImport } from '@hawser/model/multicluster/merge-exports.ts';
import { describe, expect, it } from 'vitest';
import type { ImportState } from './object-states.ts';
import { type ImportQuestion, OWNER, OWNER_LABEL, wantedImport } from './wanted-import.ts';

const http = [{ name: 'http', port: 80, protocol: 'TCP' as const }];
const merged: MergedImport = {
  ...{ spec: { type: 'ClusterSetIP', ports: http, ipFamilies: ['IPv4'] }, labels: { team: 'a' }, annotations: {} },
  ...{ clusters: ['east', 'west'], conflicts: [] },
};
const ours: ImportState = {
  ...{ resourceVersion: '7', uid: 'u', generation: 1, labels: { [OWNER_LABEL]: OWNER }, annotations: {} },
  ...{ spec: {}, status: { clusters: [{ cluster: 'west' }] } },
};
const question: ImportQuestion = {
  ...{ merged, existing: undefined, wasOurs: false, hasNamespace: true, unknown: new Set<string>(), ips: ['240.240.0.9'] },
  ...{ lack: 'there is none', slices: undefined },
};
const verdict = (change: Partial<ImportQuestion>) => wantedImport({ ...question, ...change });

describe('an import', () => {
  it('has the families of its addresses, and says which of the Services’ it has none of', () => {
    const ofFamilies = (...ipFamilies: readonly ('IPv4' | 'IPv6')[]) => ({
      ...merged,
      spec: { ...merged.spec, ipFamilies: [...ipFamilies] },
    });
    const both = { ips: ['fd00::9', '10.0.0.9'], merged: ofFamilies('IPv6', 'IPv4') };
    expect(verdict(both)).toMatchObject({
      spec: { ips: ['fd00::9', '10.0.0.9'], ipFamilies: ['IPv6', 'IPv4'] },
      finding: { status: 'True', message: 'exported by 2 clusters' },
    });
    expect(verdict({ merged: ofFamilies('IPv6', 'IPv4') })).toMatchObject({
      spec: { ips: ['240.240.0.9'], ipFamilies: ['IPv4'] },
      finding: { status: 'True', message: expect.stringContaining('of IPv6 there is none here') },
    });
    expect(verdict({ merged: ofFamilies('IPv6') })).toMatchObject({
      spec: { ips: ['240.240.0.9'], ipFamilies: ['IPv4'] },
      finding: { status: 'False', reason: 'IPFamilyNotSupported' },
    });
  });

  it('is made where its namespace is, once it has an address', () => {
    expect(verdict({ hasNamespace: false })).toBe('leave');
    expect(verdict({ ips: undefined })).toBe('leave');
    expect(verdict({ ips: [] })).toMatchObject({ finding: { status: 'False', reason: 'Pending', message: 'there is none' } });
  });

  it('says whether there are EndpointSlices of it, and of whom there are none', () => {
    expect(verdict({})).toMatchObject({ status: { endpointSliceObjects: 'Absent' }, finding: { message: 'exported by 2 clusters' } });
    expect(verdict({ slices: { beyond: ['west'] } })).toMatchObject({
      status: { endpointSliceObjects: 'Present' },
      finding: { message: 'exported by 2 clusters; endpoints of west are behind gateways, and in no EndpointSlice' },
    });
  });

  it('that is headless has no address, and waits for none', () => {
    const headless = { ...merged, spec: { type: 'Headless' as const, ports: http } };
    expect(verdict({ merged: headless, ips: undefined })).toMatchObject({ spec: headless.spec, finding: { status: 'True' } });
  });

  it('goes when nobody exports it any more', () => {
    expect(verdict({ merged: undefined, existing: ours })).toBe('absent');
    expect(verdict({ merged: undefined })).toBe('leave');
  });

  it('stays as it is while a cluster that it is of was not heard, and the others have gone', () => {
    const unheard = { existing: ours, unknown: new Set(['west']) };
    expect(verdict({ ...unheard, merged: undefined })).toBe('leave');
    expect(verdict({ ...unheard, merged: { ...merged, clusters: ['east'] } })).toBe('leave');
    expect(verdict(unheard)).toMatchObject({ status: { clusters: [{ cluster: 'east' }, { cluster: 'west' }] } });
    expect(verdict({ existing: ours, unknown: new Set(['north']), merged: undefined })).toBe('absent');
  });

  it('that does not say of whom it is stays while anybody is unknown, and is written when somebody exports it', () => {
    const unsaid = { existing: { ...ours, status: undefined }, unknown: new Set(['north']) };
    expect(verdict({ ...unsaid, merged: undefined })).toBe('leave');
    expect(verdict(unsaid)).toMatchObject({ finding: { status: 'True' } });
  });

  it('that somebody else made is left, and in the way only of what is exported', () => {
    const theirs = { ...ours, labels: {} };
    expect(verdict({ existing: theirs })).toBe('foreign');
    expect(verdict({ existing: theirs, merged: undefined })).toBe('leave');
    expect(verdict({ existing: theirs, wasOurs: true })).toMatchObject({ labels: { team: 'a', [OWNER_LABEL]: OWNER } });
  });
});
