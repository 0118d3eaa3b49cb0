/** The hub's `/`: a small live page, until the console exists. Static files, and the overview behind its own session. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '@hawser/runtime/app-error.ts';
import type { FastifyInstance } from 'fastify';
import type { FleetContext } from '../fleet/fleet-context.ts';
import { overview } from '../fleet/service-view.ts';
import { PageSessions } from './page-session.ts';

const FILES = [
  { path: '/', file: 'page.html', type: 'text/html; charset=utf-8' },
  { path: '/page/page.css', file: 'page.css', type: 'text/css; charset=utf-8' },
  { path: '/page/page.js', file: 'page.js', type: 'text/javascript; charset=utf-8' },
] as const;

const HEADERS = {
  'content-security-policy':
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-cache',
} as const;

/** Adds `/`, its files, and `/page/overview`, which is `/hawser/v1/overview` for the page's session. */
export function pageRoutes(app: FastifyInstance, context: FleetContext, sessions = new PageSessions()): void {
  for (const { path, file, type } of FILES) {
    const content = readFileSync(join(import.meta.dirname, 'static', file));
    app.get(path, (request, reply) => {
      const cookie = path === '/' ? sessions.cookieFor(request) : undefined;
      if (cookie !== undefined) reply.header('set-cookie', cookie);
      return reply.headers(HEADERS).type(type).send(content);
    });
  }
  app.get('/page/overview', (request, reply) => {
    if (!sessions.isValid(request))
      throw new AppError('session-needed', 'open / in a browser on the machine of the hub, or give a token', { status: 401 });
    reply.header('cache-control', 'no-store');
    return overview(context);
  });
}
