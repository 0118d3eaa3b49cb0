/** What `apply` reports of each resource (DESIGN.md section 2, CLI). */
import { messageOf } from '@hawser/runtime/app-error.ts';
import type { RolloutAnswer } from '@hawser/wire/hub-api.ts';
import { HubRefusal } from '../client/hub-refusal.ts';
import { type Manifest, type Problem, placeKind, problemLine, subjectOf } from '../manifest/manifest.ts';
import type { Applied } from './apply-one.ts';

/** One entry of `results`. `proxies`, `nacks` and `durationMs` are there when `--wait` was given. */
export interface ApplyResult {
  readonly kind: string;
  /** Empty for cluster-scoped kinds. */
  readonly namespace: string;
  readonly name: string;
  readonly action: 'created' | 'configured' | 'unchanged' | 'deleted' | 'failed';
  readonly revision: number;
  readonly proxies?: { readonly expected: number; readonly acked: number; readonly nacked: number };
  readonly nacks?: RolloutAnswer['nacks'];
  /** Commit of the revision → last ACK, milliseconds. */
  readonly durationMs?: number;
  /** What the hub's analysis found about it. */
  readonly warnings?: Applied['warnings'];
  /** Why it failed, each with file, line, column and field. */
  readonly errors?: readonly {
    readonly file: string;
    readonly line: number;
    readonly column: number;
    readonly field: string;
    readonly message: string;
  }[];
}

/** The name of a result as kubectl writes it: `virtualservice/reviews`. */
export function resultName({ kind, name }: Pick<ApplyResult, 'kind' | 'name'>): string {
  return `${kind.toLowerCase()}/${name}`;
}

/** The hub's answer to one manifest as problems at their lines. */
export function problemsOf(manifest: Manifest, error: unknown): Problem[] {
  const { kind, metadata } = manifest.resource;
  const subject = subjectOf(kind, metadata.namespace, metadata.name);
  const causes =
    error instanceof HubRefusal && error.causes.length > 0 ? error.causes : [{ field: '', message: messageOf(error), reason: '' }];
  return causes.map(({ field, message, reason }) => {
    return { place: manifest.placeOf(field, placeKind(reason)), subject, field, message: withoutField(field, message) };
  });
}

/** Warnings as lines on stderr: `FILE:LINE:COLUMN: KIND NAMESPACE/NAME: FIELD: warning CODE: message`. */
export function warningText({ resource, placeOf }: Manifest, warnings: ApplyResult['warnings'] = []): string {
  const { kind, metadata } = resource;
  const subject = subjectOf(kind, metadata.namespace, metadata.name);
  return problemText(
    warnings.map(({ code, field, message }) => ({ place: placeOf(field), subject, field, message: `warning ${code}: ${message}` })),
  );
}

/** Some messages begin with the field they are about; once is enough. */
function withoutField(field: string, message: string): string {
  return field !== '' && message.startsWith(`${field}: `) ? message.slice(field.length + 2) : message;
}

/** The entry of a resource that could not be written. */
export function failedResult(manifest: Manifest, problems: readonly Problem[]): ApplyResult {
  const { kind, metadata } = manifest.resource;
  const errors = problems.map(({ place, field, message }) => ({ ...place, field, message }));
  return { kind, namespace: metadata.namespace ?? '', name: metadata.name, action: 'failed', revision: 0, errors };
}

/** Problems, one a line. */
export function problemText(problems: readonly Problem[]): string {
  return problems.map((problem) => `${problemLine(problem)}\n`).join('');
}

/** Who refused which resource, and why. */
export function refusalText({ cluster, proxy, type, resource, message }: RolloutAnswer['nacks'][number]): string {
  const what = type === undefined ? '' : ` (${type} ${resource ?? ''})`;
  return `refused by ${cluster}/${proxy}${what}: ${message}`;
}
