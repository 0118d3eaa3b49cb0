/** The rules of the MCS API, each seen on real API servers; `docs/mcs-rules.md` lists them. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BUILD_MS, canRunKubernetes } from '../kit/kube-apiserver-binary.ts';
import { type Clusterset, startClusterset } from './multicluster/clusterset.ts';
import { LIFETIME } from './multicluster/lifetime.ts';

const RULES = [...LIFETIME];
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
  const rows = RULES.map(({ rule, seen }) => `| ${rule === 0 ? '–' : rule} | ${seen} |`);
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
