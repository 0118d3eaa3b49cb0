import fc from 'fast-check';
import { expect, it } from 'vitest';
import { RolloutReports } from './rollout-reports.ts';

it('finds what a sorted map would, whatever the order in which reports come', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 40 }), fc.nat(5))), fc.integer({ min: 0, max: 41 }), (puts, asked) => {
      const reports = new RolloutReports();
      const model = new Map<number, number>();
      for (const [revision, acked] of puts) {
        reports.put({ status: { epoch: 1, revision, expected: 5, acked, nacks: [] }, at: 0 });
        model.set(revision, acked);
      }
      const sorted = [...model].sort(([a], [b]) => a - b);
      expect([...reports.from(0)].map(({ status }) => [status.revision, status.acked])).toEqual(sorted);
      expect([...reports.from(asked)].map(({ status }) => status.revision)).toEqual([...reports.keys()].filter((one) => one >= asked));
      expect(reports.oldest).toBe(sorted[0]?.[0]);
      expect(reports.get(asked)?.status.acked).toBe(model.get(asked));
    }),
  );
});
