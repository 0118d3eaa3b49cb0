import type { RotationView } from '@hawser/wire/trust.ts';
import { describe, expect, it } from 'vitest';
import { plainLine, rotationLines } from './rotation-lines.ts';

const rotation: RotationView = {
  ...{ id: 'us-east-1', cluster: 'us-east', kind: 'root', phase: 'Preparing', paused: false, emergency: false },
  ...{ awayAfter: '600s', startedBy: 'me', createdAt: '2026-11-21T12:00:00Z', phases: [] },
  waiting: [
    { cluster: 'us-west', reason: '2 proxies are to acknowledge the new root', proxies: ['client', 'reviews'], blocks: true },
    { cluster: 'eu-west', reason: 'nothing was heard of it for 900 s; it catches up when it returns', proxies: [], blocks: false },
  ],
};

describe('a rotation as text', () => {
  it('shows its phase, what that means, and everybody who is missing by name', () => {
    expect(rotationLines(rotation)).toEqual([
      'rotation of the root of us-east (us-east-1)',
      '  Preparing: the new one goes to everybody that trusts the cluster; nothing is signed with it yet',
      '  waits for us-west: 2 proxies are to acknowledge the new root (client, reviews)',
      '  goes on without eu-west: nothing was heard of it for 900 s; it catches up when it returns',
    ]);
  });

  it('says when it begins, that it is paused, and why it failed', () => {
    const waiting: RotationView['waiting'] = [];
    expect(rotationLines({ ...rotation, waiting, phase: 'Pending', at: '2026-12-01T03:00:00Z', paused: true })[1]).toBe(
      '  Pending, paused, begins at 2026-12-01T03:00:00Z: its time has not come',
    );
    expect(rotationLines({ ...rotation, waiting, phase: 'Failed', message: 'us-east refuses to prepare: no' })[1]).toBe(
      '  Failed: us-east refuses to prepare: no',
    );
  });

  it('is one line where nothing rewrites lines', () => {
    expect(plainLine(rotation)).toBe(
      'us-east root: Preparing; waits for us-west: 2 proxies are to acknowledge the new root (client, reviews), and 1 more',
    );
    expect(plainLine({ ...rotation, waiting: [], phase: 'Done' })).toBe('us-east root: Done');
  });
});
