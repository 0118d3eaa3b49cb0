import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, it } from 'vitest';
import { startBound } from './bound-process.ts';

it('reports exit codes as a shell does', async () => {
  expect(await startBound('sh', ['-c', 'exit 7']).exited).toBe(7);
  expect(await startBound('sh', ['-c', 'kill -TERM $$']).exited).toBe(143);
  expect(await startBound('/nowhere/program', []).exited).toBe(127);
});

it.each(['kernel', 'watchdog'])('ends the child when its parent is SIGKILLed, by the %s', async (binding) => {
  const module = join(import.meta.dirname, 'bound-process.ts');
  // The child holds the pipe of stdout: its end is the child's end.
  const script = `import { startBound } from ${JSON.stringify(module)};
    startBound('sh', ['-c', 'echo running; exec sleep 600'], ${JSON.stringify(binding)});`;
  const parent = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: parent.stdout });
  const closed = new Promise<void>((resolve) => lines.once('close', resolve));
  lines.once('line', () => parent.kill('SIGKILL'));
  await closed;
  expect(parent.signalCode ?? (await new Promise((resolve) => parent.once('exit', (_code, signal) => resolve(signal))))).toBe('SIGKILL');
});
