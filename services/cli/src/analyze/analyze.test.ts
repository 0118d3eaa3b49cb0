/** `hawser analyze` over files alone. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { environmentOf, type Outcome, runHere } from '../command-fixture.ts';

const RULE = `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews, namespace: bookinfo}
spec:
  host: reviews
  trafficPolicy:
    outlierDetection:
      consecutiveErrors: 5
  subsets:
    - {name: v1, labels: {version: v1}}
`;
const ROUTE = `# unrelated
apiVersion: apps/v1
kind: Deployment
metadata: {name: reviews}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews.bookinfo]
  http:
    - route:
        - destination:
            host: reviews.bookinfo
            subset: v9
    - route: [{destination: {host: reviews.bookinfo, subset: v1}}]
`;

describe('analyze without a hub', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'hawser-analyze-'));
    writeFileSync(join(folder, 'a.yaml'), RULE);
    writeFileSync(join(folder, 'b.yaml'), ROUTE);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const hawser = (args: readonly string[], input = ''): Promise<Outcome> =>
    runHere(['analyze', ...args], { env: environmentOf(join(folder, 'none')), input });

  it('names file, line and column, the code, the field and the way out, and counts', async () => {
    const { status, stdout, stderr } = await hawser(['-f', folder, '--no-hub', '-n', 'shop']);
    expect(stdout).toMatch(
      /a\.yaml:8:7: error HW0003: DestinationRule bookinfo\/reviews: spec\.trafficPolicy\.outlierDetection\.consecutiveErrors: .*\n {4}write outlierDetection\.consecutive5xxErrors\n/,
    );
    expect(stdout).toMatch(
      /b\.yaml:15:21: error HW0105: VirtualService shop\/reviews: spec\.http\[0\]\.route\[0\]\.destination\.subset: .* v9/,
    );
    expect(stdout).toMatch(/b\.yaml:16:7: warning HW0201: VirtualService shop\/reviews: spec\.http\[1\]: /);
    expect(stdout).toMatch(/\n2 errors, 1 warning, 0 infos in 3 resources of 2 files\n$/);
    expect([status, stderr]).toEqual([1, '']);
  });

  it('shows and fails as it is told, and counts all the same', async () => {
    const [error, never] = [
      await hawser(['-f', folder, '--severity', 'error']),
      await hawser(['-f', folder, '--no-hub', '--fail-on', 'never']),
    ];
    expect([error.status, error.stdout.includes('HW0201'), error.stdout.includes('1 warning')]).toEqual([1, false, true]);
    expect(error.stderr).toMatch(/^no hub is asked/);
    expect(never.status).toBe(0);
    const fine = RULE.replace('consecutiveErrors', 'consecutive5xxErrors');
    expect(
      (await hawser(['-f', '-', '--no-hub', '--fail-on', 'info'], fine.replace(/ {2}trafficPolicy[\s\S]*?(?= {2}subsets)/, ''))).status,
    ).toBe(1);
    expect((await hawser(['-f', '-', '--no-hub'], fine.replace(/ {2}trafficPolicy[\s\S]*?(?= {2}subsets)/, ''))).status).toBe(0);
  });

  it('answers in JSON, places and all', async () => {
    const { findings, ...looked } = JSON.parse((await hawser(['-f', join(folder, 'a.yaml'), '--no-hub', '-o', 'json'])).stdout);
    expect(findings[0]).toMatchObject({
      code: 'HW0003',
      severity: 'Error',
      line: 8,
      column: 7,
      namespace: 'bookinfo',
      fix: expect.any(String),
    });
    expect(looked).toEqual({ omitted: 0, files: 1, resources: 1 });
  });

  it('tells of what is no YAML, no kind, or a kind that is refused', async () => {
    const texts = [
      'kind: [',
      'apiVersion: networking.istio.io/v1\nkind: VirtualServce\nmetadata: {name: a}',
      'apiVersion: networking.istio.io/v1alpha3\nkind: EnvoyFilter\nmetadata: {name: b}',
    ];
    const { stdout, status } = await hawser(['-f', '-', '--no-hub'], texts.toReversed().join('\n---\n'));
    expect(stdout).toMatch(/<stdin>:2:1: error HW0002: EnvoyFilter b: kind: Hawser does not serve EnvoyFilter/);
    expect(stdout).toMatch(/<stdin>:6:7: error HW0001: VirtualServce a: kind: /);
    expect(stdout).toMatch(/<stdin>:\d+:\d+: error HW0001: not valid YAML/);
    expect(status).toBe(1);
  });

  it('asks for something to analyse, and for a hub when one is wanted', async () => {
    expect((await hawser(['--no-hub'])).status).toBe(2);
    expect((await hawser(['-f', folder, '--hub'])).stderr).toMatch(/no hub is known here/);
    expect((await hawser(['-f', folder, '--severity', 'bad'])).status).toBe(2);
    expect((await hawser(['--help'])).stdout).toMatch(/Examples:[\s\S]*hawser analyze -f policies\//);
  });
});
