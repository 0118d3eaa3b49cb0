import { expect, it } from 'vitest';
import { followFile } from './secret-file.ts';

it('a renewed token that cannot be handed on is said once, and tried until it can', async () => {
  const over = new AbortController();
  const said: string[] = [];
  const given: string[] = [];
  const onRenewed = (token: string): void => {
    given.push(token);
    if (given.length < 4) throw new Error('the disk is full');
    over.abort();
  };
  await followFile(
    { what: 'token', read: () => 'renewed', onRenewed, say: (text) => said.push(text), signal: over.signal, pollMs: 1 },
    'first',
  );
  expect([given.length, said]).toEqual([4, ['the token is not renewed, the last one stays in use: the disk is full']]);
});
