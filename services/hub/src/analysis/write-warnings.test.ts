import type { Finding } from '@hawser/model/analysis/finding.ts';
import { createLogger } from '@hawser/runtime/logger.ts';
import Fastify, { type FastifyInstance } from 'fastify';
import { afterEach, describe, expect, it } from 'vitest';
import { warnOfWrites } from './write-warnings.ts';

const RULE = {
  apiVersion: 'networking.istio.io/v1',
  kind: 'DestinationRule',
  metadata: { name: 'a', namespace: 'b' },
  spec: { host: 'a' },
};
const found = (changes: Partial<Finding> = {}): Finding => ({
  ...{ code: 'HW0106', severity: 'Warning', kind: 'DestinationRule', namespace: 'b', name: 'a' },
  ...{ field: 'spec.subsets[0]', message: 'no workload has it', fix: 'change it', ...changes },
});

let app: FastifyInstance;
afterEach(() => app.close());

/** A server that answers every write with the rule, and `/hawser/v1/apply` with one result accepted and one refused. */
function serve(warningsOf: (written: readonly unknown[]) => readonly (readonly Finding[])[]): FastifyInstance {
  app = Fastify();
  warnOfWrites(app, { warningsOf }, createLogger('test'));
  app.route({ method: ['GET', 'POST', 'PUT'], url: '/one', handler: () => RULE });
  app.post('/refused', (_request, reply) => reply.code(422).send(RULE));
  app.post('/hawser/v1/apply', () => ({
    results: [
      { action: 'created', revision: 1 },
      { action: 'refused', revision: 0, error: {} },
    ],
  }));
  return app;
}

describe('writes are answered with warnings', () => {
  it('as headers that any client can read, at most ten', async () => {
    const odd = found({ message: 'says "this" \\ that – and more', field: '' });
    serve(() => [[odd, ...Array.from({ length: 20 }, () => found({ message: 'x'.repeat(1_000) }))]]);
    const { headers, body } = await app.inject({ method: 'PUT', url: '/one' });
    const all = headers['warning'] as unknown as readonly string[];
    expect(all).toHaveLength(10);
    expect(all[0]).toBe('299 - "HW0106 -: says \\"this\\" \\\\ that ? and more; change it"');
    expect(Math.max(...all.map(({ length }) => length))).toBeLessThan(420);
    expect(JSON.parse(body)).toEqual(RULE);
  });

  it('as warnings of what was accepted, where many are written', async () => {
    const asked: unknown[] = [];
    serve((written) => {
      asked.push(...written);
      return [[found()], [found()]];
    });
    const { body } = await app.inject({ method: 'POST', url: '/hawser/v1/apply', payload: { resources: [RULE, RULE] } });
    expect(JSON.parse(body).results).toEqual([
      { action: 'created', revision: 1, warnings: [found()] },
      { action: 'refused', revision: 0, error: {} },
    ]);
    expect(asked).toEqual([RULE, undefined]);
  });

  it('and reads and refusals are not; an analysis that fails keeps no answer back', async () => {
    serve(() => {
      throw new Error('broken');
    });
    for (const method of ['GET', 'POST', 'PUT'] as const) {
      const { statusCode, headers, body } = await app.inject({ method, url: '/one' });
      expect([statusCode, headers['warning'], JSON.parse(body)]).toEqual([200, undefined, RULE]);
    }
    expect((await app.inject({ method: 'POST', url: '/hawser/v1/apply', payload: { resources: [] } })).statusCode).toBe(200);
    await app.close();
    serve(() => [[found()]]);
    expect((await app.inject({ method: 'GET', url: '/one' })).headers['warning']).toBeUndefined();
    expect((await app.inject({ method: 'POST', url: '/refused' })).headers['warning']).toBeUndefined();
  });
});
