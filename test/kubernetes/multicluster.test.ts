/** The rules of the MCS API, each seen on real API servers; `docs/mcs-rules.md` lists them. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BUILD_MS, canRunKubernetes } from '../kit/kube-apiserver-binary.ts';
import { type Clusterset, startClusterset } from './multicluster/clusterset.ts';
import { CONDITIONS } from './multicluster/conditions.ts';
import { DERIVED } from './multicluster/derived-services.ts';
import { DNS } from './multicluster/dns.ts';
import { FAULTS } from './multicluster/faults.ts';
import { SLICES } from './multicluster/import-slices.ts';
import { LIFETIME } from './multicluster/lifetime.ts';
import { MERGING, PORTS } from './multicluster/merging.ts';
import { ADDRESSES, TYPES } from './multicluster/types-and-addresses.ts';

/** What ends a server's v1beta1 comes last. */
const RULES = [...LIFETIME, ...TYPES, ...ADDRESSES, ...PORTS, ...MERGING, ...CONDITIONS, ...DNS, ...DERIVED, ...SLICES, ...FAULTS];
const DOCUMENT = join(import.meta.dirname, '../../docs/mcs-rules.md');

describe.skipIf(!canRunKubernetes())('the MCS API', () => {
  let set: Clusterset;

  beforeAll(async () => {
    set = await startClusterset();
  }, BUILD_MS);
  afterAll(() => set?.stop());

  for (const { rule, seen, show } of RULES) test(`MCS ${rule}: ${seen}`, () => show(set));
});

test('the list of rules is current, and none is listed twice', () => {
  expect(new Set(RULES.map(({ seen }) => seen)).size).toBe(RULES.length);
  const sorted = [...RULES].sort((a, b) => (a.rule || 99) - (b.rule || 99));
  const rows = sorted.map(({ rule, seen }) => `| ${rule === 0 ? '–' : rule} | ${seen} |`);
  const text = [
    '# Rules of the MCS API, as they are seen',
    '',
    'Each is one test of `test/kubernetes/multicluster.test.ts`: two real API servers and a directory of files, each with its agent, on a real NATS. Made by `npm run golden -- test/kubernetes/multicluster.test.ts`.',
    'The numbers are those of decision 35, which says what each rule is.',
    '',
    '| rule | seen |',
    '| --- | --- |',
    ...[...rows, ''],
  ].join('\n');
  if (process.env['HAWSER_UPDATE_GOLDEN'] === '1') writeFileSync(DOCUMENT, text);
  expect(readFileSync(DOCUMENT, 'utf8')).toBe(text);
});
