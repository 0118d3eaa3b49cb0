import { expect, it } from 'vitest';
import { policiesPatch } from './policies-command.ts';

it('sets single namespaces, all others, or both, in any case', () => {
  expect(policiesPatch(['bookinfo=authoritative', 'shown=ReadOnly'])).toEqual({
    namespaces: { bookinfo: 'Authoritative', shown: 'ReadOnly' },
  });
  expect(policiesPatch(['*=ReadOnly'])).toEqual({ mode: 'ReadOnly' });
  expect(policiesPatch(['*=Off', 'bookinfo=Off'])).toEqual({ mode: 'Off', namespaces: { bookinfo: 'Off' } });
});

it.each(['bookinfo', '=Off', 'bookinfo=On', 'bookinfo=', 'Book_Info=Off'])('refuses %s with what it expects', (pair) => {
  expect(() => policiesPatch([pair])).toThrow(/--set/);
});
