import { expect, test } from 'vitest';
import { guideSteps, missingLine, unrunCommands } from './guide.ts';

const GUIDE = `# Guide
Look (\`hawser drill status\`), then say \`npx hawser drill deny\`.
\`\`\`sh
npx hawser drill status
npx hawser drill run x   # exits 4
\`\`\`
\`\`\`text
RUN     AGE
x-2026  12s
\`\`\`
\`\`\`sh
true
\`\`\`
`;

test('a guide is its commands, with exit codes and outputs, and what is named has to be run', () => {
  const steps = guideSteps(GUIDE);
  expect(steps).toEqual([
    { line: 3, script: 'npx hawser drill status\nnpx hawser drill run x   # exits 4', exits: 4, shown: ['RUN     AGE', 'x-2026  12s'] },
    { line: 11, script: 'true', exits: 0, shown: [] },
  ]);
  expect(unrunCommands(GUIDE, steps)).toEqual(['hawser drill deny']);
  expect(() => guideSteps('```yaml\na: 1\n```\n')).toThrow('line 1: a block of yaml');
});

test('numbers stand for numbers, 0 for itself, and the order of lines counts', () => {
  const output = '  0 of 412 requests failed\n  took 0.31s, by admin\nends\n';
  expect(missingLine(['0 of 9 requests failed', '…', 'took 12s, …', 'ends'], output)).toBeUndefined();
  expect(missingLine(['0 of 9 requests failed'], '1 of 412 requests failed')).toBe('0 of 9 requests failed');
  expect(missingLine(['0 of 9 requests failed'], '10 of 412 requests failed')).toBe('0 of 9 requests failed');
  expect(missingLine(['ends', 'took 1s, …'], output)).toBe('took 1s, …');
  expect(missingLine(['requests failed'], output)).toBe('requests failed');
});
