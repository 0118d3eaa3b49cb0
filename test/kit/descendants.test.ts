import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { watchDescendants } from './descendants.ts';

const linux = process.platform === 'linux';

test.runIf(linux)('a grandchild that left home is found and ended', async () => {
  const child = spawn('sh', ['-c', 'setsid sleep 321 & echo $!; sleep 0.2'], { stdio: ['ignore', 'pipe', 'ignore'] });
  const pid = Number(String((await once(child.stdout, 'data'))[0]));
  const watched = watchDescendants(child.pid ?? 0);
  await once(child, 'exit');
  const leaks = await watched.endAll(0);
  expect(leaks).toEqual([{ pid, command: 'sleep 321' }]);
  expect(await watched.endAll(0)).toEqual([]);
});
