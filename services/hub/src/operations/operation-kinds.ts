/** The kinds whose resources move traffic in steps. */
import { type ShiftParts, shiftKind } from '../shift/shift-kind.ts';
import type { OperationKind } from './operation-kind.ts';

/** What they are moved with. */
export type OperationKindParts = ShiftParts;

/** All of them; each has a line in `OPERATED_KINDS`, and its commands in `access/permissions.ts`. */
export function operationKinds(parts: OperationKindParts): readonly OperationKind[] {
  return [shiftKind(parts)];
}
