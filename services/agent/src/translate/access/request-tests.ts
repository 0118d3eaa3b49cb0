/** What is asked for: hosts, methods, paths, headers, ports. Pure. */
import type { JsonObject } from '@bufbuild/protobuf';
import { structuredJson } from '../wire-values.ts';
import { type Doubt, literal, otherThan, PERMISSIONS, type RuleContext, regex, textMatch, textPattern } from './rule-context.ts';

/** The Host of a request, in any case; in doubt with a port behind it or a last dot. */
export function hostTest(value: string, doubt: Doubt): JsonObject {
  if (doubt === 'fails') return header(':authority', { ...textMatch(value), ...(value === '*' ? {} : { ignore_case: true }) });
  return header(':authority', regex(`(?i:${textPattern(value)})\\.?(?::[0-9]+)?`));
}

/** A method. */
export function methodTest(value: string): JsonObject {
  return header(':method', textMatch(value));
}

/** Slashes as applications may read them: decoded later than Envoy does, or written the other way round. */
const SLASH = '(?:/|%2[fF]|%5[cC]|\\\\)+';
const ESCAPED = '(?:%2[fF]|%5[cC]|\\\\)';
/** A path that leads elsewhere once its slashes are decoded. */
const TRAVERSAL = `(?:.*${SLASH})?\\.\\.(?:${SLASH}.*)?`;

/**
 * A path without its query. Envoy has normalised it, but leaves escaped slashes alone, for applications that want them. In doubt they
 * are slashes; where a rule grants, what would lead elsewhere by them is not granted.
 */
export function pathTest(value: string, doubt: Doubt): JsonObject {
  if (doubt === 'matches') {
    const pattern = isTemplate(value) ? templatePattern(value, SLASH) : textPattern(value).replaceAll('/', SLASH);
    return urlPath(regex(value === '*' ? '.+' : `(?:${pattern})|(?:${TRAVERSAL})`));
  }
  if (isTemplate(value)) return PERMISSIONS.all([template(value), PERMISSIONS.not(urlPath(regex(`.*${ESCAPED}.*`)))]);
  const plain = urlPath(textMatch(value));
  return value.endsWith('*') && value !== '*' && value !== '/*'
    ? PERMISSIONS.all([plain, PERMISSIONS.not(urlPath(regex(TRAVERSAL)))])
    : plain;
}

/** Istio's path template: `{*}` is one segment, `{**}` any number of them. */
export function isTemplate(path: string): boolean {
  return path.includes('{*}') || path.includes('{**}');
}

/**
 * A header of any name. There may be several of one name, and Envoy is content when one of them matches; an application may read
 * another, or all of them as a list with commas (CVE-2026-31838). Where a rule grants, no other value may stand beside the one that
 * matches; where it refuses, each part of a list is compared as well.
 */
export function headerTest(name: string, value: string, doubt: Doubt): JsonObject {
  if (value === '*') return header(name, textMatch(value));
  if (doubt === 'fails') return PERMISSIONS.all([header(name, textMatch(value)), PERMISSIONS.not(header(name, regex(otherThan(value))))]);
  const pattern = textPattern(value);
  return header(name, regex(`(?:${pattern})|(?:.*,)?[ \\t]*(?:${pattern})[ \\t]*(?:,.*)?`));
}

/** A port of the application: known where calls come to 15006, else that of the connection. */
export function portTest(value: string, { port }: RuleContext): JsonObject {
  if (port === undefined) return { destination_port: Number(value) };
  return port === Number(value) ? { any: true } : PERMISSIONS.not({ any: true });
}

/** A test of a header. */
export function header(name: string, match: JsonObject): JsonObject {
  return { header: { name: name.toLowerCase(), string_match: match } };
}

function urlPath(match: JsonObject): JsonObject {
  return { url_path: { path: match } };
}

function template(value: string): JsonObject {
  const path = value.replaceAll('{**}', '**').replaceAll('{*}', '*');
  const type = 'envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig';
  return { uri_template: structuredJson('uri_template', type, { path_template: path }) };
}

function templatePattern(value: string, slash: string): string {
  return value
    .split(/(\{\*\*?\}|\/)/)
    .map((part) => (part === '{**}' ? '.*' : part === '{*}' ? '[^/]+' : part === '/' ? slash : literal(part)))
    .join('');
}
