/** PURE: OpenAPI 3.1 of the registered routes, from the schemas that check requests, the descriptors of kinds and the permissions. */
import { KINDS, type KindDescriptor } from '@hawser/model/kinds.ts';
import type { RouteOptions } from 'fastify';
import { permissionOf } from '../access/permissions.ts';
import { QUERY_PARAMETERS, type QueryParameter } from '../resource/query-parameters.ts';

/** A JSON Schema 2020-12, which is what OpenAPI 3.1 has. */
type Schema = Readonly<Record<string, unknown>>;

const STATUS: Schema = {
  type: 'object',
  description: 'metav1.Status: what happened, to which resource, at which field',
  required: ['kind', 'apiVersion', 'status', 'reason', 'message', 'code'],
  properties: {
    ...{ kind: { const: 'Status' }, apiVersion: { const: 'v1' }, status: { enum: ['Success', 'Failure'] } },
    ...{ reason: { type: 'string' }, message: { type: 'string' }, code: { type: 'integer' }, details: { type: 'object' } },
  },
};
const TEXTS: Schema = { type: 'object', additionalProperties: { type: 'string' } };
const METADATA: Schema = {
  type: 'object',
  properties: {
    ...{ name: { type: 'string' }, namespace: { type: 'string' }, labels: TEXTS, annotations: TEXTS, uid: { type: 'string' } },
    ...{ resourceVersion: { type: 'string' }, generation: { type: 'integer' }, creationTimestamp: { type: 'string' } },
  },
};

/** The document of these routes; HEAD goes without saying. */
export function openApiDocument(routes: readonly RouteOptions[], version: string): Readonly<Record<string, unknown>> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    for (const method of [route.method].flat().filter((one) => one !== 'HEAD')) {
      const path = route.url.replace(/:([a-zA-Z]+)/g, '{$1}');
      paths[path] = { ...paths[path], [method.toLowerCase()]: operation(route, method) };
    }
  }
  const document = {
    openapi: '3.1.0',
    info: { title: 'Hawser', version, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    paths,
    components: { schemas: schemas(), securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
  };
  // TypeBox marks its schemas by what JSON does not have.
  return JSON.parse(JSON.stringify(document)) as typeof document;
}

function schemas(): Record<string, Schema> {
  const kinds = KINDS.flatMap((kind) => [[kind.kind, resourceSchema(kind)] as const, [`${kind.kind}List`, listSchema(kind)] as const]);
  return { Status: STATUS, ObjectMeta: METADATA, ...Object.fromEntries(kinds) };
}

function resourceSchema({ kind, group, versions, spec }: KindDescriptor): Schema {
  return {
    type: 'object',
    required: ['apiVersion', 'kind', 'metadata', 'spec'],
    properties: {
      ...{ apiVersion: { enum: versions.map((version) => `${group}/${version}`) }, kind: { const: kind } },
      ...{ metadata: ref('ObjectMeta'), spec, status: { type: 'object' } },
    },
  };
}

function listSchema({ kind }: KindDescriptor): Schema {
  const properties = { kind: { const: `${kind}List` }, metadata: { type: 'object' }, items: { type: 'array', items: ref(kind) } };
  return { type: 'object', required: ['items'], properties: { apiVersion: { type: 'string' }, ...properties } };
}

function operation(route: RouteOptions, method: string): Schema {
  const permission = permissionOf(method, route.url);
  const { verb = 'call', kind = '', role } = permission ?? {};
  const body = bodyOf(route, { method, kind, verb });
  return {
    operationId: `${method.toLowerCase()}${route.url.replace(/[^a-zA-Z0-9]+/g, '_')}`,
    summary: `${verb} ${kind}${role === undefined ? '' : `; needs the role ${role}`}`,
    tags: [kind],
    parameters: [...parametersOf(route), ...(isKind(kind) ? queryOf(verb) : [])],
    ...(body === undefined ? {} : { requestBody: { required: true, content: body } }),
    responses: {
      [verb === 'create' ? '201' : '200']: answer('done', answerOf(route, { kind, verb })),
      default: answer('refused or failed', ref('Status')),
    },
    security: role === undefined ? [] : [{ token: [] }],
  };
}

function parametersOf({ url, schema }: RouteOptions): Schema[] {
  const inPath = propertiesOf(schema?.params);
  const path = [...url.matchAll(/:([a-zA-Z]+)/g)].map(([, name = '']) => {
    return { name, in: 'path', required: true, schema: inPath[name] ?? { type: 'string' } };
  });
  const query = Object.entries(propertiesOf(schema?.querystring)).map(([name, one]) => ({ name, in: 'query', schema: one }));
  return [...path, ...query];
}

/** What the routes of resource kinds take is not in their schemas. */
function queryOf(verb: string): Schema[] {
  const known: Readonly<Record<string, QueryParameter>> = Object.hasOwn(QUERY_PARAMETERS, verb)
    ? QUERY_PARAMETERS[verb as keyof typeof QUERY_PARAMETERS]
    : {};
  return Object.entries(known).map(([name, { schema, description }]) => ({ name, in: 'query', required: false, schema, description }));
}

function propertiesOf(schema: unknown): Readonly<Record<string, unknown>> {
  return (schema as { readonly properties?: Readonly<Record<string, unknown>> } | undefined)?.properties ?? {};
}

interface About {
  readonly kind: string;
  readonly verb: string;
}

function bodyOf({ schema }: RouteOptions, about: About & { readonly method: string }): Schema | undefined {
  if (schema?.body !== undefined) return { 'application/json': { schema: schema.body } };
  if (about.method === 'PATCH') return { 'application/merge-patch+json': { schema: { type: 'object' } } };
  if (!['POST', 'PUT'].includes(about.method)) return undefined;
  return {
    'application/json': {
      schema: isKind(about.kind) && about.verb !== 'join' && about.verb !== 'renew' ? ref(about.kind) : { type: 'object' },
    },
  };
}

function answerOf({ schema }: RouteOptions, { kind, verb }: About): unknown {
  const declared = (schema?.response as Readonly<Record<string, unknown>> | undefined)?.['200'];
  if (declared !== undefined) return declared;
  if (!isKind(kind) || !['list', 'get', 'create', 'replace', 'patch', 'delete'].includes(verb)) return {};
  return ref(verb === 'list' ? `${kind}List` : kind);
}

function isKind(name: string): boolean {
  return KINDS.some(({ kind }) => kind === name);
}

function answer(description: string, schema: unknown): Schema {
  return { description, content: { 'application/json': { schema } } };
}

function ref(name: string): Schema {
  return { $ref: `#/components/schemas/${name}` };
}
