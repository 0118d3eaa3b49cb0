/** What the analysis found, and where. */
import { CODES, type Code, type Severity } from './codes.ts';
import type { Subject } from './subject.ts';

/** One finding. */
export interface Finding {
  readonly code: Code;
  readonly severity: Severity;
  /** `Service` for one that clusters publish. */
  readonly kind: string;
  /** Empty for cluster-scoped kinds. */
  readonly namespace: string;
  readonly name: string;
  /** Field path such as `spec.http[0].route[1].weight`; empty when the whole resource is meant. */
  readonly field: string;
  /** A sentence without a full stop. */
  readonly message: string;
  /** What to do. */
  readonly fix: string;
}

/** Where a finding is; `fix` instead of the one of the code. */
export interface FindingPlace {
  readonly at: Pick<Subject, 'kind' | 'namespace' | 'name'>;
  readonly field: string;
  readonly fix?: string | undefined;
}

/** A finding of this code. */
export function finding(code: Code, { at, field, fix }: FindingPlace, message: string): Finding {
  const { kind, namespace, name } = at;
  return { code, severity: CODES[code].severity, kind, namespace, name, field, message, fix: fix ?? CODES[code].fix };
}

/** How bad severities are; more is worse. */
export const SEVERITY_RANK: Readonly<Record<Severity, number>> = { Info: 0, Warning: 1, Error: 2 };
