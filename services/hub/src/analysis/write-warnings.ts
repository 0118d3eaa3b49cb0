/** Tells writers what the analysis found about what they wrote: `Warning: 299` headers, as Kubernetes has them, or `warnings` of the results. */
import type { Finding } from '@hawser/model/analysis/finding.ts';
import { kindNamed } from '@hawser/model/kinds.ts';
import { messageOf } from '@hawser/runtime/app-error.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import type { ApplyAnswer } from '@hawser/wire/hub-api.ts';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { FleetView } from '../hub-core.ts';

/** Headers of one answer, and characters of each: proxies on the way bound them too. */
const MOST_HEADERS = 10;
const MOST_CHARACTERS = 400;

const WRITES: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);

/** Adds warnings to the answers of writes. Never keeps one from being answered. */
export function warnOfWrites(app: FastifyInstance, { warningsOf }: Pick<FleetView, 'warningsOf'>, log: Logger): void {
  if (warningsOf === undefined) return;
  app.addHook('preSerialization', async (request, reply, payload) => {
    if (!WRITES.has(request.method) || reply.statusCode >= 300) return payload;
    try {
      if (request.url === '/hawser/v1/apply') return withWarnings(payload as ApplyAnswer, resourcesIn(request.body), warningsOf);
      if (isPolicy(payload)) addHeaders(reply, warningsOf([payload])[0] ?? []);
    } catch (error) {
      log.warn({ error: messageOf(error) }, 'what was written could not be analysed');
    }
    return payload;
  });
}

function withWarnings(answer: ApplyAnswer, resources: readonly unknown[], warningsOf: NonNullable<FleetView['warningsOf']>): ApplyAnswer {
  const accepted = answer.results.map(({ error }, index) => (error === undefined ? resources[index] : undefined));
  const found = warningsOf(accepted);
  const results = answer.results.map((result, index) => {
    const warnings = result.error === undefined ? (found[index] ?? []) : [];
    return warnings.length === 0 ? result : { ...result, warnings: [...warnings] };
  });
  return { ...answer, results };
}

function addHeaders(reply: FastifyReply, findings: readonly Finding[]): void {
  if (findings.length > 0) reply.header('warning', findings.slice(0, MOST_HEADERS).map(headerOf));
}

/** RFC 7234 section 5.5: `299 - "TEXT"`; the text is `CODE FIELD: MESSAGE; FIX`. */
function headerOf({ code, field, message, fix }: Finding): string {
  const text = `${code} ${field === '' ? '-' : field}: ${message}; ${fix}`.replace(/[^ -~]/g, '?').slice(0, MOST_CHARACTERS);
  return `299 - "${text.replace(/["\\]/g, '\\$&')}"`;
}

function isPolicy(payload: unknown): boolean {
  const kind = typeof payload === 'object' && payload !== null && 'kind' in payload ? payload.kind : undefined;
  return typeof kind === 'string' && kindNamed(kind)?.policy === true;
}

function resourcesIn(body: unknown): readonly unknown[] {
  return (body as { readonly resources?: readonly unknown[] }).resources ?? [];
}
