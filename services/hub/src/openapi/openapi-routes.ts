import type { FastifyInstance } from 'fastify';
import { openApiDocument } from './openapi-document.ts';

/** Adds `GET /openapi.json`, open to all: every route of this hub, made at the first request. */
export function openApiRoutes(app: FastifyInstance, version: string): void {
  let document: unknown;
  app.get('/openapi.json', () => {
    document ??= openApiDocument(app.declared, version);
    return document;
  });
}
