/** PURE: the query parameters of resource routes by verb: the API refuses all others, and OpenAPI tells of these. */

/** One parameter; all are optional. */
export interface QueryParameter {
  readonly schema: { readonly type: 'string' | 'boolean' | 'integer'; readonly minimum?: number; readonly enum?: readonly string[] };
  readonly description: string;
}

const LIST: Readonly<Record<string, QueryParameter>> = {
  labelSelector: { schema: { type: 'string' }, description: 'Labels that what is chosen has: team=web,tier!=cache,zone in (a,b),!old.' },
  fieldSelector: { schema: { type: 'string' }, description: 'metadata.name=NAME, metadata.namespace=NAMESPACE, or both with a comma.' },
  resourceVersion: {
    schema: { type: 'string' },
    description:
      'Of a watch: what the client knows everything up to; without it the watch begins with all there is. A list is always of now.',
  },
  resourceVersionMatch: { schema: { type: 'string' }, description: 'Taken from clients of Kubernetes; a list is always of now.' },
  timeoutSeconds: {
    schema: { type: 'integer', minimum: 0 },
    description: 'How long a watch lasts, at most an hour; without it or with 0, between 30 and 60 minutes.',
  },
  watch: { schema: { type: 'boolean' }, description: 'Events as they come, one JSON object a line, instead of a list.' },
  allowWatchBookmarks: {
    schema: { type: 'boolean' },
    description: 'A watch tells from time to time, and at its end, up to which resourceVersion it has told everything.',
  },
};
const PAGE: Readonly<Record<string, QueryParameter>> = {
  limit: { schema: { type: 'integer', minimum: 0 }, description: 'How many a page has, at most 1000; without it or with 0, all.' },
  continue: {
    schema: { type: 'string' },
    description: 'metadata.continue of the page before. It may be Expired (410): begin again without it.',
  },
};
const WRITE: Readonly<Record<string, QueryParameter>> = {
  dryRun: { schema: { type: 'string', enum: ['All'] }, description: 'Everything is checked and nothing is written.' },
  allowUnresolved: {
    schema: { type: 'boolean' },
    description: 'Also what refers to services, subsets or regions that are not there yet; its condition ResolvedRefs says so.',
  },
  fieldManager: { schema: { type: 'string' }, description: 'Taken from clients of Kubernetes; it has no effect.' },
};
const REMOVE = {
  ...WRITE,
  resourceVersion: { schema: { type: 'string' }, description: 'Only if it is at this one; otherwise Conflict (409).' },
  reason: { schema: { type: 'string' }, description: 'Why, for the history and the audit; at most 500 characters.' },
} satisfies Readonly<Record<string, QueryParameter>>;

/** By the verbs of `access/permissions.ts`. */
export const QUERY_PARAMETERS = {
  list: { ...LIST, ...PAGE },
  history: PAGE,
  create: WRITE,
  replace: WRITE,
  patch: WRITE,
  rollback: WRITE,
  delete: REMOVE,
} as const satisfies Readonly<Record<string, Readonly<Record<string, QueryParameter>>>>;

/** Names of the parameters of a verb. */
export function parametersOf(verb: keyof typeof QUERY_PARAMETERS): readonly string[] {
  return Object.keys(QUERY_PARAMETERS[verb]);
}
