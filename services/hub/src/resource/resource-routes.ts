/** `/apis/GROUP/VERSION/[namespaces/NS/]PLURAL[/NAME]` for every kind and version. */
import { KINDS, type KindDescriptor } from '@hawser/model/kinds.ts';
import { parseLabelSelector } from '@hawser/model/label-selector.ts';
import { apiVersionOf } from '@hawser/model/validate.ts';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { StatusError } from '../http/status.ts';
import type { ListPage, ListQuery, ResourceService, Target, WriteOptions } from './resource-service.ts';

const MAX_LIMIT = 1000;
const LIST_PARAMETERS = ['labelSelector', 'limit', 'continue'];
const WRITE_PARAMETERS = ['dryRun', 'allowUnresolved', 'fieldManager'];

/** Adds the routes of all kinds. */
export function registerResourceRoutes(app: FastifyInstance, service: ResourceService): void {
  for (const kind of KINDS) {
    for (const version of kind.versions) addKind(app, service, { kind, root: `/apis/${kind.group}/${version}` });
  }
}

function addKind(app: FastifyInstance, service: ResourceService, { kind, root }: { kind: KindDescriptor; root: string }): void {
  const collection = `${root}/${kind.namespaced ? 'namespaces/:namespace/' : ''}${kind.plural}`;
  const one = `${collection}/:name`;
  const listing = async (request: FastifyRequest) => listBody(kind, await service.list(listQuery(kind, request)));
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
    const { resourceVersion } = parameters(request, [...WRITE_PARAMETERS, 'resourceVersion']);
    return service.remove(targetOf(kind, request), { ...writeOptions(request, ['resourceVersion']), resourceVersion });
  });
}

function targetOf(kind: KindDescriptor, request: FastifyRequest): Target {
  const { namespace, name } = request.params as { readonly namespace?: string; readonly name?: string };
  if (`${namespace}${name}`.includes('\0')) throw new StatusError('BadRequest', 'the path has a NUL character');
  return { kind, namespace: namespace ?? '', name: name ?? '' };
}

function writeOptions(request: FastifyRequest, also: readonly string[] = []): WriteOptions {
  const { dryRun, allowUnresolved } = parameters(request, [...WRITE_PARAMETERS, ...also]);
  if (dryRun !== undefined && dryRun !== 'All') throw new StatusError('BadRequest', `dryRun is ${dryRun}; it can only be All`);
  if (allowUnresolved !== undefined && !['true', 'false'].includes(allowUnresolved)) {
    throw new StatusError('BadRequest', `allowUnresolved is ${allowUnresolved}; it must be true or false`);
  }
  return { dryRun: dryRun === 'All', allowUnresolved: allowUnresolved === 'true', actor: request.actor };
}

function listQuery(kind: KindDescriptor, request: FastifyRequest): ListQuery {
  const { labelSelector, limit, continue: token } = parameters(request, LIST_PARAMETERS);
  const selector = parseLabelSelector(labelSelector ?? '');
  if ('problem' in selector) throw new StatusError('BadRequest', `labelSelector: ${selector.problem}`);
  const namespace = kind.namespaced ? targetOf(kind, request).namespace : '';
  return {
    kind,
    namespace: namespace === '' ? undefined : namespace,
    selector,
    limit: limitOf(limit),
    after: token === undefined ? undefined : decodeContinue(token),
  };
}

function limitOf(text: string | undefined): number | undefined {
  if (text === undefined || text === '0') return undefined;
  if (!/^[0-9]{1,9}$/.test(text)) throw new StatusError('BadRequest', `limit is ${text}; it must be a whole number`);
  return Math.min(Number(text), MAX_LIMIT);
}

function listBody(kind: KindDescriptor, page: ListPage): object {
  const next = page.next === undefined ? {} : { continue: encodeContinue(page.next) };
  return {
    apiVersion: apiVersionOf(kind),
    kind: `${kind.kind}List`,
    metadata: { resourceVersion: String(page.revision), ...next },
    items: page.items,
  };
}

function encodeContinue({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return Buffer.from(JSON.stringify([namespace, name])).toString('base64url');
}

function decodeContinue(token: string): { readonly namespace: string; readonly name: string } {
  try {
    const value: unknown = JSON.parse(Buffer.from(token, 'base64url').toString('utf8'));
    const [namespace, name] = Array.isArray(value) ? value : [];
    if (typeof namespace === 'string' && typeof name === 'string' && !`${namespace}${name}`.includes('\0')) return { namespace, name };
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
