/**
 * Declares behaviours: one field or rule of policy each, shown by a real request through real Envoys. In a `*.test.ts` of this folder:
 *
 *     const behaviour = behavioursOf({ net: 10 });   // a net of 127.81.NET.x of the file's own; BOOKINFO unless more is given
 *     behaviour('VS-001', 'http.match.uri.exact', 'a path is compared whole', async (rig) => {
 *       await rig.policies([policy('VirtualService', { hosts: ['reviews'], http: [...] })]);
 *       expect((await rig.call({ path: '/a', headers: { x: 'y' } })).servedBy).toBe('reviews-v1');
 *     });
 *
 * The three texts are string literals: `docs/behaviours.md` is made of them (`npm run golden -- test/behaviour/listing.test.ts`).
 * Behaviours run one after the other on the file's one mesh; each sets all policies that it needs.
 */
import { afterAll, beforeAll, test } from 'vitest';
import { type Rig, type RigOptions, startRig } from './rig.ts';

/** Declares one behaviour. */
export type Behaviour = (id: string, field: string, seen: string, show: (rig: Rig) => Promise<void>) => void;

/** Starts the rig of a file before its behaviours and stops it after them. */
export function behavioursOf(options: RigOptions, prepare?: (rig: Rig) => Promise<void>): Behaviour {
  let rig: Rig | undefined;
  beforeAll(async () => {
    rig = await startRig(options);
    await prepare?.(rig);
  });
  afterAll(() => rig?.stop());
  return (id, field, seen, show) =>
    test(`${id} ${field}: ${seen}`, async () => {
      if (rig === undefined) throw new Error('the mesh is not there');
      await show(rig);
    });
}
