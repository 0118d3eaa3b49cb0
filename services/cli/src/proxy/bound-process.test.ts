import { expect, it } from 'vitest';
import { startBound } from './bound-process.ts';

it('reports exit codes as a shell does', async () => {
  expect(await startBound('sh', ['-c', 'exit 7']).exited).toBe(7);
  expect(await startBound('sh', ['-c', 'kill -TERM $$']).exited).toBe(143);
});
