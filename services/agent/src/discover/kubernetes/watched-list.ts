/** A collection of an API server, read whole: page by page, all or nothing. */
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import { type ApiClient, ApiRefusal } from './api-client.ts';

/** What is listed. */
export interface ListRequest {
  readonly path: string;
  /** What an object of it is: `Pod`. A list of anything else is a wrong answer. */
  readonly kind: string;
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
    kind: Type.String(),
    metadata: Type.Object({ resourceVersion: Type.String({ minLength: 1 }), continue: Type.Optional(Type.String()) }),
    items: Type.Union([Type.Array(Type.Unknown()), Type.Null()]),
  }),
);

/** Reads one item; undefined when it is none. */
type ReadItem<Item> = (raw: unknown) => Item | undefined;

/** Lists everything; each item is cut down by `read` before the next page is asked for. Throws, and has no part of it, when any page or item fails. */
export async function listWhole<Item>(api: ApiClient, request: ListRequest, read: ReadItem<Item>): Promise<WholeList<Item>> {
  try {
    return await listPaged(api, request, read);
  } catch (error) {
    // The pages' version was compacted in between: once without pages.
    if (error instanceof ApiRefusal && error.status === 410) return listPaged(api, { ...request, pageSize: 0 }, read);
    throw error;
  }
}

/** The store's version at this moment: that of a list which is not read further than its first object. */
export async function presentVersion(api: ApiClient, request: ListRequest): Promise<string> {
  return (await pageOf(api, request, { limit: '1' })).metadata.resourceVersion;
}

/** The list is of the version of its first page: what came since is for the watch to tell. */
async function listPaged<Item>(api: ApiClient, request: ListRequest, read: ReadItem<Item>): Promise<WholeList<Item>> {
  const { path, pageSize } = request;
  const limit: Record<string, string> = pageSize > 0 ? { limit: String(pageSize) } : {};
  const items: Item[] = [];
  let version: string | undefined;
  let token: string | undefined;
  do {
    const page = await pageOf(api, request, token === undefined ? limit : { ...limit, continue: token });
    for (const raw of page.items ?? []) items.push(read(raw) ?? refuse(`${path}: an object in its list has no name`));
    version ??= page.metadata.resourceVersion;
    token = page.metadata.continue || undefined;
  } while (token !== undefined);
  return { items, version };
}

async function pageOf(api: ApiClient, { path, kind, query, deadlineMs, signal }: ListRequest, more: Readonly<Record<string, string>>) {
  const answer = await api.json({ path, query: { ...query, ...more }, deadlineMs, signal });
  if (!Page.Check(answer) || answer.kind !== `${kind}List`) return refuse(`${path}: the answer is no ${kind}List`);
  return answer;
}

function refuse(message: string): never {
  throw new ApiRefusal(502, message);
}
