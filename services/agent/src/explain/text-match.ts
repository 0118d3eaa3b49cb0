/** Envoy's string matchers, and the words for what they ask. Pure but for the regular expressions. */
import type { HeaderMatcher } from '@hawser/xds/generated/envoy/config/route/v3/route_components_pb.ts';
import type { StringMatcher } from '@hawser/xds/generated/envoy/type/matcher/v3/string_pb.ts';
import type { RegexTest } from './re2.ts';

/** Whether it holds; undefined when that cannot be said. `asks` completes "it is not …". */
export interface Judged {
  readonly holds: boolean | undefined;
  readonly asks: string;
}

/** Judges a text. */
export function matchText(matcher: StringMatcher, text: string, regex: RegexTest): Judged {
  const { matchPattern: pattern, ignoreCase } = matcher;
  const fold = (value: string): string => (ignoreCase ? value.toLowerCase() : value);
  const suffix = ignoreCase ? ', in any case' : '';
  switch (pattern.case) {
    case 'exact':
      return { holds: fold(text) === fold(pattern.value), asks: `${pattern.value}${suffix}` };
    case 'prefix':
      return { holds: fold(text).startsWith(fold(pattern.value)), asks: `${pattern.value}…${suffix}` };
    case 'suffix':
      return { holds: fold(text).endsWith(fold(pattern.value)), asks: `…${pattern.value}${suffix}` };
    case 'contains':
      return { holds: fold(text).includes(fold(pattern.value)), asks: `…${pattern.value}…${suffix}` };
    case 'safeRegex':
      return { holds: regex(pattern.value.regex, text), asks: `/${pattern.value.regex}/` };
    default:
      return { holds: undefined, asks: 'something that cannot be evaluated here' };
  }
}

/** Judges a header; `value` is undefined when the request has none. */
export function matchHeader(matcher: HeaderMatcher, value: string | undefined, regex: RegexTest): Judged {
  const { headerMatchSpecifier: asked, invertMatch: isInverted, treatMissingHeaderAsEmpty } = matcher;
  const not = isInverted ? 'not ' : '';
  if (asked.case === 'presentMatch' || asked.case === undefined) {
    const wanted = asked.case === undefined || asked.value;
    return { holds: ((value !== undefined) === wanted) !== isInverted, asks: wanted !== isInverted ? 'there' : 'absent' };
  }
  // A missing header meets nothing, the opposite of something neither, unless it counts as empty.
  if (value === undefined && !treatMissingHeaderAsEmpty) return { holds: false, asks: `there and ${not}${asksOf(asked, regex)}` };
  const judged = specific(asked, value ?? '', regex);
  return { holds: judged.holds === undefined ? undefined : judged.holds !== isInverted, asks: `${not}${judged.asks}` };
}

type Asked = HeaderMatcher['headerMatchSpecifier'];

function asksOf(asked: Asked, regex: RegexTest): string {
  return specific(asked, '', regex).asks;
}

function specific(asked: Asked, value: string, regex: RegexTest): Judged {
  if (asked.case === 'stringMatch') return matchText(asked.value, value, regex);
  if (asked.case === 'rangeMatch') {
    const [number, { start, end }] = [/^-?\d{1,18}$/.test(value) ? BigInt(value) : undefined, asked.value];
    return { holds: number !== undefined && number >= start && number < end, asks: `from ${start} to below ${end}` };
  }
  return { holds: undefined, asks: 'something that cannot be evaluated here' };
}
