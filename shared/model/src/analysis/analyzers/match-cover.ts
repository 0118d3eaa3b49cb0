/** Whether one match takes every request that another does. Where that is not certain, it is not said. Pure. */
import type { StringMatch, VirtualServiceMatch } from '../../istio/specs.ts';

/** A match with the gateways that it holds for. */
export interface EffectiveMatch {
  readonly match: VirtualServiceMatch;
  readonly gateways: readonly string[];
}

/** Whether it takes every request at its gateways. */
export function takesAll({ match, gateways }: EffectiveMatch): boolean {
  return takesMore({ match, gateways }, { match: {}, gateways });
}

/** Whether `wide` takes every request that `narrow` takes. */
export function takesMore(wide: EffectiveMatch, narrow: EffectiveMatch): boolean {
  const [a, b] = [wide.match, narrow.match];
  return (
    narrow.gateways.every((gateway) => wide.gateways.includes(gateway)) &&
    uriCovers(a, b) &&
    (['method', 'scheme', 'authority'] as const).every((field) => textCovers(a[field], b[field], 'anything')) &&
    mapCovers(a.headers, b.headers) &&
    mapCovers(a.queryParams, b.queryParams) &&
    Object.entries(a.withoutHeaders ?? {}).every(([name, value]) => same(value, b.withoutHeaders?.[name])) &&
    Object.entries(a.sourceLabels ?? {}).every(([name, value]) => b.sourceLabels?.[name] === value) &&
    (a.port === undefined || a.port === b.port) &&
    (a.sourceNamespace === undefined || a.sourceNamespace === b.sourceNamespace)
  );
}

/** Expressions that any text meets. */
export function isAnyText(regex: string): boolean {
  return /^\^?(\(\?s\))?\.\*\$?$/.test(regex);
}

/** Expressions that any path meets. */
export function isAnyPath(regex: string): boolean {
  return isAnyText(regex) || /^\^?\/?\.[*+]\$?$/.test(regex) || /^\^?\/\.\*\$?$/.test(regex);
}

function uriCovers(a: VirtualServiceMatch, b: VirtualServiceMatch): boolean {
  if (a.uri === undefined || a.uri.prefix === '/' || a.uri.prefix === '') return true;
  if (a.uri.regex !== undefined && isAnyPath(a.uri.regex)) return true;
  if (b.uri === undefined || (b.ignoreUriCase === true && a.ignoreUriCase !== true)) return false;
  const fold = a.ignoreUriCase === true && a.uri.regex === undefined;
  return fold ? textCovers(lower(a.uri), lower(b.uri), 'anything') : textCovers(a.uri, b.uri, 'anything');
}

function mapCovers(a: VirtualServiceMatch['headers'], b: VirtualServiceMatch['headers']): boolean {
  return Object.entries(a ?? {}).every(([name, value]) => b?.[name] !== undefined && textCovers(value, b[name], 'presence'));
}

/** `empty`: what a match without any form asks for. */
function textCovers(a: StringMatch | undefined, b: StringMatch | undefined, empty: 'anything' | 'presence'): boolean {
  if (a === undefined) return true;
  if (b === undefined) return empty === 'anything' && a.regex !== undefined && isAnyText(a.regex);
  if (a.regex !== undefined) return isAnyText(a.regex) || a.regex === b.regex;
  if (a.exact !== undefined) return b.exact === a.exact;
  const { prefix = '' } = a;
  return prefix === '' || (b.exact ?? b.prefix ?? '').startsWith(prefix);
}

function lower({ exact, prefix, regex }: StringMatch): StringMatch {
  return { exact: exact?.toLowerCase(), prefix: prefix?.toLowerCase(), regex };
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
