/** `/apis/GROUP/VERSION/[namespaces/NS/]PLURAL[/NAME]` for every kind and version. */
import { KINDS, type KindDescriptor } from '@hawser/model/kinds.ts';
import { parseLabelSelector } from '@hawser/model/label-selector.ts';
import { apiVersionOf } from '@hawser/model/validate.ts';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { StatusError } from '../http/status.ts';
import { parametersOf } from './query-parameters.ts';
import type { ListCursor, ListPage, ListQuery } from './resource-listing.ts';
import type { ResourceService, Target, WriteOptions } from './resource-service.ts';
import { type Watches, watchTimeout } from './watch/watch-routes.ts';
import type { WatchQuery } from './watch/watch-stream.ts';

const MAX_LIMIT = 1000;
const HISTORY_LIMIT = 100;

/** Adds the routes of all kinds. */
export function registerResourceRoutes(app: FastifyInstance, service: ResourceService, watches: Watches): void {
  for (const kind of KINDS) {
    for (const version of kind.versions) {
      const place = { kind, root: `/apis/${kind.group}/${version}` };
      addKind(app, { service, watches }, place);
      if (!kind.readOnly) addPast(app, service, place);
    }
  }
}

interface Place {
  readonly kind: KindDescriptor;
  readonly root: string;
}

interface Verbs {
  readonly service: ResourceService;
  readonly watches: Watches;
}

function addKind(app: FastifyInstance, { service, watches }: Verbs, { kind, root }: Place): void {
  const collection = `${root}/${kind.namespaced ? 'namespaces/:namespace/' : ''}${kind.plural}`;
  const one = `${collection}/:name`;
  const listing = async (request: FastifyRequest, reply: FastifyReply) => {
    const query = parameters(request, parametersOf('list'));
    if (flag('watch', query['watch'])) return watches.serve(watchQuery(kind, request, query), reply);
    return listBody(kind, await service.list(listQuery(kind, request, query)));
  };
  app.get(collection, listing);
  if (kind.namespaced) app.get(`${root}/${kind.plural}`, listing);
  app.post(collection, async (request, reply) => {
    const { namespace } = targetOf(kind, request);
    const created = await service.create({ kind, namespace }, request.body, writeOptions(request));
    return reply.code(201).send(created);
  });
  app.get(one, async (request) => service.get(targetOf(kind, request)));
  app.put(one, async (request) => service.replace(targetOf(kind, request), request.body, writeOptions(request)));
  app.patch(one, async (request) => {
    if (!/^application\/merge-patch\+json\s*(;|$)/.test(request.headers['content-type'] ?? '')) {
      throw new StatusError('UnsupportedMediaType', 'patches are JSON Merge Patches: send content-type application/merge-patch+json');
    }
    return service.patch(targetOf(kind, request), request.body, writeOptions(request));
  });
  app.delete(one, async (request) => {
    const { resourceVersion } = parameters(request, parametersOf('delete'));
    return service.remove(targetOf(kind, request), { ...writeOptions(request, 'delete'), resourceVersion });
  });
}

/** A resource's past, and the way back. */
function addPast(app: FastifyInstance, service: ResourceService, { kind, root }: Place): void {
  const one = `${root}/${kind.namespaced ? 'namespaces/:namespace/' : ''}${kind.plural}/:name`;
  app.get(`${one}/history`, async (request) => {
    const { limit, continue: token } = parameters(request, parametersOf('history'));
    const before = token === undefined ? undefined : wholeNumber('continue', token);
    const page = await service.history(targetOf(kind, request), { before, limit: limitOf(limit) ?? HISTORY_LIMIT });
    const metadata = page.next === undefined ? {} : { continue: String(page.next) };
    return { apiVersion: 'hawser.dev/v1alpha1', kind: 'HistoryList', metadata, items: page.items };
  });
  app.post(`${one}/rollback`, async (request) => {
    const { revision, resourceVersion, ...others } = (request.body ?? {}) as Readonly<Record<string, unknown>>;
    const known = typeof request.body === 'object' && !Array.isArray(request.body) && Object.keys(others).length === 0;
    if (!known || !isRevision(revision) || !(resourceVersion === undefined || typeof resourceVersion === 'string')) {
      throw new StatusError('BadRequest', 'a rollback is {"revision": N}, N one of the history, or {} for the one before');
    }
    return service.rollback(targetOf(kind, request), { revision, resourceVersion }, writeOptions(request));
  });
}

function isRevision(value: unknown): value is number | undefined {
  return value === undefined || (Number.isSafeInteger(value) && Number(value) > 0);
}

function targetOf(kind: KindDescriptor, request: FastifyRequest): Target {
  const { namespace, name } = request.params as { readonly namespace?: string; readonly name?: string };
  if (`${namespace}${name}`.includes('\0')) throw new StatusError('BadRequest', 'the path has a NUL character');
  return { kind, namespace: namespace ?? '', name: name ?? '' };
}

const MAX_REASON = 500;

function writeOptions(request: FastifyRequest, verb: 'replace' | 'delete' = 'replace'): WriteOptions {
  const { dryRun, allowUnresolved, reason } = parameters(request, parametersOf(verb));
  if (dryRun !== undefined && dryRun !== 'All') throw new StatusError('BadRequest', `dryRun is ${dryRun}; it can only be All`);
  if (allowUnresolved !== undefined && !['true', 'false'].includes(allowUnresolved)) {
    throw new StatusError('BadRequest', `allowUnresolved is ${allowUnresolved}; it must be true or false`);
  }
  if ((reason?.length ?? 0) > MAX_REASON) throw new StatusError('BadRequest', `reason is longer than ${MAX_REASON} characters`);
  return { dryRun: dryRun === 'All', allowUnresolved: allowUnresolved === 'true', actor: request.actor, reason };
}

type Parameters = Readonly<Record<string, string | undefined>>;

function chosen(
  kind: KindDescriptor,
  request: FastifyRequest,
  query: Parameters,
): Pick<ListQuery, 'kind' | 'namespace' | 'name' | 'selector'> {
  const selector = parseLabelSelector(query['labelSelector'] ?? '');
  if ('problem' in selector) throw new StatusError('BadRequest', `labelSelector: ${selector.problem}`);
  const path = kind.namespaced ? targetOf(kind, request).namespace : '';
  const fields = fieldSelector(query['fieldSelector'] ?? '');
  const namespace = path === '' ? fields.namespace : path;
  if (fields.namespace !== undefined && fields.namespace !== namespace) {
    throw new StatusError('BadRequest', `fieldSelector: metadata.namespace is ${fields.namespace}, and the path says ${path}`);
  }
  return { kind, namespace, name: fields.name, selector };
}

function listQuery(kind: KindDescriptor, request: FastifyRequest, query: Parameters): ListQuery {
  const { limit, continue: token } = query;
  return { ...chosen(kind, request, query), limit: limitOf(limit), from: token === undefined ? undefined : decodeContinue(token) };
}

function watchQuery(kind: KindDescriptor, request: FastifyRequest, query: Parameters): WatchQuery {
  if (query['limit'] !== undefined || query['continue'] !== undefined)
    throw new StatusError('BadRequest', 'limit and continue are for lists, not for watches');
  const { resourceVersion, timeoutSeconds } = query;
  const after = resourceVersion === undefined || resourceVersion === '' ? 0 : wholeNumber('resourceVersion', resourceVersion);
  const seconds = timeoutSeconds === undefined ? undefined : wholeNumber('timeoutSeconds', timeoutSeconds);
  return {
    ...chosen(kind, request, query),
    after: after === 0 ? undefined : after,
    bookmarks: flag('allowWatchBookmarks', query['allowWatchBookmarks']),
    timeoutMs: watchTimeout(seconds === 0 ? undefined : seconds),
  };
}

/** As for Kubernetes' custom resources: by name and namespace alone. */
function fieldSelector(text: string): { readonly name?: string; readonly namespace?: string } {
  const fields: { name?: string; namespace?: string } = {};
  for (const part of text.split(',').filter((one) => one.trim() !== '')) {
    const [, field, value = ''] = /^\s*metadata\.(name|namespace)\s*==?\s*([^\s=!]+)\s*$/.exec(part) ?? [];
    if (field === undefined || value.includes('\0')) {
      throw new StatusError('BadRequest', `fieldSelector: "${part}" is not metadata.name=NAME or metadata.namespace=NAMESPACE`);
    }
    fields[field as 'name' | 'namespace'] = value;
  }
  return fields;
}

function flag(name: string, text: string | undefined): boolean {
  if (text === undefined || text === 'false' || text === '0') return false;
  if (text !== 'true' && text !== '1') throw new StatusError('BadRequest', `${name} is ${text}; it must be true or false`);
  return true;
}

function wholeNumber(name: string, text: string): number {
  if (!/^[0-9]{1,15}$/.test(text)) throw new StatusError('BadRequest', `${name} is ${text}; it must be a whole number`);
  return Number(text);
}

function limitOf(text: string | undefined): number | undefined {
  if (text === undefined || text === '0') return undefined;
  if (!/^[0-9]{1,9}$/.test(text)) throw new StatusError('BadRequest', `limit is ${text}; it must be a whole number`);
  return Math.min(Number(text), MAX_LIMIT);
}

function listBody(kind: KindDescriptor, page: ListPage): object {
  const next = page.next === undefined ? {} : { continue: encodeContinue(page.next) };
  const remaining = page.remaining === undefined ? {} : { remainingItemCount: page.remaining };
  return {
    apiVersion: apiVersionOf(kind),
    kind: `${kind.kind}List`,
    metadata: { resourceVersion: String(page.revision), ...next, ...remaining },
    items: page.items,
  };
}

function encodeContinue({ revision, namespace, name }: ListCursor): string {
  return Buffer.from(JSON.stringify([revision, namespace, name])).toString('base64url');
}

function decodeContinue(token: string): ListCursor {
  try {
    const value: unknown = JSON.parse(Buffer.from(token, 'base64url').toString('utf8'));
    const [revision, namespace, name] = Array.isArray(value) ? value : [];
    const texts = typeof namespace === 'string' && typeof name === 'string' && !`${namespace}${name}`.includes('\0');
    if (texts && Number.isSafeInteger(revision)) return { revision, namespace, name };
  } catch {
    // Falls through to the one message.
  }
  throw new StatusError('BadRequest', 'continue is not a token of an earlier page: begin again without it');
}

/** Query parameters; one that is not known here is refused, because to ignore it might do the opposite of what was meant. */
function parameters(request: FastifyRequest, known: readonly string[]): Readonly<Record<string, string | undefined>> {
  const query = request.query as Readonly<Record<string, unknown>>;
  const found: Record<string, string> = {};
  for (const [name, value] of Object.entries(query)) {
    if (!known.includes(name)) throw new StatusError('BadRequest', `${name} is not a parameter here; known are ${known.join(', ')}`);
    if (typeof value !== 'string') throw new StatusError('BadRequest', `${name} is given more than once`);
    found[name] = value;
  }
  return found;
}
