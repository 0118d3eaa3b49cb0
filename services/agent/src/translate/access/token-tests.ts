/** What a request's verified token says: what jwt_authn leaves behind as metadata. Pure. */
import type { JsonObject } from '@bufbuild/protobuf';
import { textMatch } from './rule-context.ts';

/** The filter that verifies tokens. */
export const JWT_FILTER = 'envoy.filters.http.jwt_authn';
/** Where it leaves the claims of a verified token. */
export const PAYLOAD = 'payload';

/** `ISSUER/SUBJECT`. Both may hold slashes, and the star may be before or behind all of it: every way to divide the value is tried. */
export function requestPrincipalTest(value: string): JsonObject {
  if (value === '*') return both('*', '*');
  const isSuffix = value.startsWith('*');
  const isPrefix = !isSuffix && value.endsWith('*');
  const text = isSuffix ? value.slice(1) : isPrefix ? value.slice(0, -1) : value;
  const divided = [...text.matchAll(/\//g)].map(({ index }) => [text.slice(0, index), text.slice(index + 1)] as const);
  const ways = divided.map(([issuer, subject]) =>
    both(isSuffix ? `*${issuer}` : issuer, isPrefix ? (subject === '' ? '*' : `${subject}*`) : subject),
  );
  if (isSuffix) ways.push(both('*', `*${text}`));
  if (isPrefix) ways.push(both(`${text}*`, '*'));
  return { or_ids: { ids: ways } };
}

/** A claim by its path; one that holds a list matches by any of its values. */
export function claimTest(path: readonly string[], value: string): JsonObject {
  const string = { string_match: textMatch(value) };
  return { or_ids: { ids: [metadata(path, string), metadata(path, { list_match: { one_of: string } })] } };
}

/** Path of a claim in `request.auth.claims[a][b]`. */
export function claimPath(key: string): readonly string[] {
  return [...key.matchAll(/\[([^\]]+)\]/g)].map(([, name = '']) => name);
}

function both(issuer: string, subject: string): JsonObject {
  const [iss, sub] = [issuer, subject].map((value) => ({ string_match: textMatch(value) }));
  return { and_ids: { ids: [metadata(['iss'], iss ?? {}), metadata(['sub'], sub ?? {})] } };
}

function metadata(path: readonly string[], value: JsonObject): JsonObject {
  return { metadata: { filter: JWT_FILTER, path: [PAYLOAD, ...path].map((key) => ({ key })), value } };
}
