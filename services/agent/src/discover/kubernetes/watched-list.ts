/** A collection of an API server, read whole: page by page, all or nothing. */
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import { type ApiClient, ApiRefusal } from './api-client.ts';

/** What is listed. */
export interface ListRequest {
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly pageSize: number;
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
}

/** A whole list and the version it is of. */
export interface WholeList<Item> {
  readonly items: readonly Item[];
  readonly version: string;
}

/** An answer without these is none, however successful: it must not be taken for an empty list. */
const Page = Compile(
  Type.Object({
    kind: Type.String({ pattern: 'List$' }),
    metadata: Type.Object({ resourceVersion: Type.String({ minLength: 1 }), continue: Type.Optional(Type.String()) }),
    items: Type.Union([Type.Array(Type.Unknown()), Type.Null()]),
  }),
);

/** Lists everything; each item is cut down by `read` before the next page is asked for. Throws, and has no part of it, when any page fails. */
export async function listWhole<Item>(api: ApiClient, request: ListRequest, read: (raw: unknown) => Item): Promise<WholeList<Item>> {
  try {
    return await listPaged(api, request, read);
  } catch (error) {
    // The pages' version was compacted in between: once without pages.
    if (error instanceof ApiRefusal && error.status === 410) return listPaged(api, { ...request, pageSize: 0 }, read);
    throw error;
  }
}

async function listPaged<Item>(api: ApiClient, request: ListRequest, read: (raw: unknown) => Item): Promise<WholeList<Item>> {
  const items: Item[] = [];
  let token: string | undefined;
  for (;;) {
    const { path, deadlineMs, signal, pageSize } = request;
    const page = { ...(pageSize > 0 ? { limit: String(pageSize) } : {}), ...(token === undefined ? {} : { continue: token }) };
    const answer = await api.json({ path, query: { ...request.query, ...page }, deadlineMs, signal });
    if (!Page.Check(answer)) throw new ApiRefusal(502, `${path}: the answer is no list`);
    for (const raw of answer.items ?? []) items.push(read(raw));
    token = answer.metadata.continue || undefined;
    if (token === undefined) return { items, version: answer.metadata.resourceVersion };
  }
}
