/** What `/readyz` answers, part by part, as Kubernetes components do (`/readyz?verbose`). */

/** One part of a process. */
export interface PartState {
  readonly name: string;
  /** Why it is not ready; undefined when it is. */
  readonly problem?: string | undefined;
}

/** What a caller wants to see. */
export interface ReadinessRequest {
  /** The query has `verbose`, with any value but `false`. */
  readonly verbose: boolean;
  /** The `Accept` header. */
  readonly accept: string | undefined;
}

/** The body for machines. */
export interface Readiness {
  readonly ready: boolean;
  readonly parts: readonly { readonly name: string; readonly ready: boolean; readonly problem?: string }[];
  /** The problems alone, a sentence each. */
  readonly notReady: readonly string[];
}

/** PURE: status 200 or 503, and the body: `ok`, the problems, a line per part, or an object where JSON is accepted by name. */
export function readinessAnswer(
  parts: readonly PartState[],
  request: ReadinessRequest,
): { readonly code: 200 | 503; readonly body: string | Readiness } {
  const notReady = parts.flatMap(({ problem }) => problem ?? []);
  const ready = notReady.length === 0;
  const code = ready ? 200 : 503;
  if (/\bapplication\/json\b/.test(request.accept ?? '')) {
    const states = parts.map(({ name, problem }) => ({
      name,
      ready: problem === undefined,
      ...(problem === undefined ? {} : { problem }),
    }));
    return { code, body: { ready, parts: states, notReady } };
  }
  if (!request.verbose) return { code, body: ready ? 'ok\n' : `${notReady.join('\n')}\n` };
  const lines = parts.map(({ name, problem }) => (problem === undefined ? `[+]${name} ok` : `[-]${name}: ${problem}`));
  return { code, body: `${[...lines, `readyz check ${ready ? 'passed' : 'failed'}`].join('\n')}\n` };
}

/** PURE: whether a query asks for all parts. */
export function isVerbose(query: unknown): boolean {
  const { verbose } = (query ?? {}) as { readonly verbose?: unknown };
  return verbose !== undefined && verbose !== 'false' && verbose !== '0';
}
