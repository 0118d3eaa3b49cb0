import { describe, expect, it } from 'vitest';
import { fieldChanges } from './field-diff.ts';
import { unifiedDiff } from './unified-diff.ts';

describe('fieldChanges', () => {
  it('names each field that differs, and nothing else', () => {
    const before = { spec: { hosts: ['a'], timeout: '1s', same: { x: 1 } }, labels: { 'a.b/c': '1' } };
    const after = { spec: { hosts: ['a', 'b'], same: { x: 1 }, retries: 2 }, labels: { 'a.b/c': '2' } };
    expect(fieldChanges(before, after)).toEqual([
      { path: 'spec.hosts[1]', after: 'b' },
      { path: 'spec.timeout', before: '1s' },
      { path: 'spec.retries', after: 2 },
      { path: 'labels["a.b/c"]', before: '1', after: '2' },
    ]);
    expect(fieldChanges(after, after)).toEqual([]);
  });

  it('finds members of a list by their names, and says when their order alone differs', () => {
    const [a, b] = [
      { name: 'a', weight: 1 },
      { name: 'b', weight: 2 },
    ];
    expect(fieldChanges({ hosts: [a, b] }, { hosts: [{ ...b, weight: 3 }] })).toEqual([
      { path: 'hosts[a]', before: a },
      { path: 'hosts[b].weight', before: 2, after: 3 },
    ]);
    expect(fieldChanges([a, b], [b, a])).toEqual([{ path: ' (order)', before: ['a', 'b'], after: ['b', 'a'] }]);
  });

  it('shows an inserted member as one change', () => {
    expect(fieldChanges([1, 2, 3], [1, 9, 2, 3])).toEqual([{ path: '[1]', after: 9 }]);
  });

  it('has a whole resource at the empty path', () => {
    expect(fieldChanges(undefined, { kind: 'X' })).toEqual([{ path: '', after: { kind: 'X' } }]);
  });
});

describe('unifiedDiff', () => {
  const names = { before: 'stored', after: 'proposed' };

  it('is empty for equal texts', () => {
    expect(unifiedDiff('a\n', 'a\n', names)).toBe('');
  });

  it('shows changes with three lines of context, each place by itself', () => {
    const before = Array.from({ length: 20 }, (_, index) => `line ${index}`);
    const after = before.with(2, 'changed').toSpliced(17, 0, 'inserted');
    expect(unifiedDiff(before.join('\n'), after.join('\n'), names).split('\n')).toEqual([
      ...['--- stored', '+++ proposed', '@@ -1,6 +1,6 @@', ' line 0', ' line 1', '-line 2', '+changed', ' line 3', ' line 4', ' line 5'],
      ...['@@ -15,6 +15,7 @@', ' line 14', ' line 15', ' line 16', '+inserted', ' line 17', ' line 18', ' line 19', ''],
    ]);
  });

  it('shows what is new or gone whole', () => {
    expect(unifiedDiff('', 'a\nb\n', names)).toBe('--- stored\n+++ proposed\n@@ -0,0 +1,2 @@\n+a\n+b\n');
    expect(unifiedDiff('a\n', '', names)).toBe('--- stored\n+++ proposed\n@@ -1,1 +0,0 @@\n-a\n');
  });
});
