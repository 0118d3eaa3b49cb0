import { describe, expect, it } from 'vitest';
import { isVerbose, readinessAnswer } from './readiness.ts';

const WELL = [{ name: 'database' }, { name: 'bus' }];
const ILL = [{ name: 'database' }, { name: 'bus', problem: 'NATS is not connected' }];
const plain = { verbose: false, accept: '*/*' };

describe('readinessAnswer', () => {
  it('is short unless more is asked for', () => {
    expect(readinessAnswer(WELL, plain)).toEqual({ code: 200, body: 'ok\n' });
    expect(readinessAnswer(ILL, plain)).toEqual({ code: 503, body: 'NATS is not connected\n' });
  });

  it('has a line per part', () => {
    const verbose = { ...plain, verbose: true };
    expect(readinessAnswer(WELL, verbose)).toEqual({ code: 200, body: '[+]database ok\n[+]bus ok\nreadyz check passed\n' });
    expect(readinessAnswer(ILL, verbose)).toEqual({
      code: 503,
      body: '[+]database ok\n[-]bus: NATS is not connected\nreadyz check failed\n',
    });
  });

  it('is an object for machines', () => {
    expect(readinessAnswer(ILL, { verbose: false, accept: 'application/json' })).toEqual({
      code: 503,
      body: {
        ready: false,
        parts: [
          { name: 'database', ready: true },
          { name: 'bus', ready: false, problem: 'NATS is not connected' },
        ],
        notReady: ['NATS is not connected'],
      },
    });
  });

  it.each([
    [{}, false],
    [{ verbose: '' }, true],
    [{ verbose: 'true' }, true],
    [{ verbose: 'false' }, false],
  ])('%j is verbose: %s', (query, expected) => expect(isVerbose(query)).toBe(expected));
});
