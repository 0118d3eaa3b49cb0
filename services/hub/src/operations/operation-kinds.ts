/** The kinds whose resources move traffic in steps. */
import type { OperationKind } from './operation-kind.ts';

/** All of them; each has a line in `OPERATED_KINDS`, and its commands in `access/permissions.ts`. */
export function operationKinds(): readonly OperationKind[] {
  return [];
}
