/** How builders tell what of a rule they could not serve as written. */

/** Told of a field, by its path below the rule, and why. */
export type Report = (field: string, message: string) => void;

/** For whoever builds and does not ask: what is left out is told elsewhere (`rule-problems`). */
export const SILENT: Report = () => undefined;

/** Reports fields below another. */
export function below(report: Report, field: string): Report {
  return (inner, message) => report(inner === '' ? field : `${field}.${inner}`, message);
}
