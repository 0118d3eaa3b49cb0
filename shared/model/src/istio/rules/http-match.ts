/** Matches of HTTP rules: names, expressions, ports. Pure. */
import { headerNameProblem } from '../../header-text.ts';
import { regexProblem } from '../../regex.ts';
import type { SchemaProblem } from '../../validate-schema.ts';
import type { StringMatch, VirtualServiceMatch } from '../specs.ts';
import { invalid, labelProblems, matchProblems, rangeProblems, type Steps } from './checks.ts';

/** Every problem of one match. */
export function requestProblems(steps: Steps, match: VirtualServiceMatch): readonly SchemaProblem[] {
  return [
    ...(['uri', 'scheme', 'method', 'authority'] as const).flatMap((field) => matchProblems([...steps, field], match[field])),
    ...headersProblems([...steps, 'headers'], match.headers),
    ...headersProblems([...steps, 'withoutHeaders'], match.withoutHeaders),
    ...Object.entries(match.queryParams ?? {}).flatMap(([name, value]) => anyMatchProblems([...steps, 'queryParams', name], value)),
    ...rangeProblems([...steps, 'port'], match.port, [1, 65_535]),
    ...labelProblems([...steps, 'sourceLabels'], match.sourceLabels),
  ];
}

function headersProblems(steps: Steps, headers: Readonly<Record<string, StringMatch>> | undefined): readonly SchemaProblem[] {
  return Object.entries(headers ?? {}).flatMap(([name, value]) => [
    ...nameProblems([...steps, name], name),
    ...anyMatchProblems([...steps, name], value),
  ]);
}

/** `{}` asks only that it is there; so does `regex: '*'`, which is no expression. */
function anyMatchProblems(steps: Steps, match: StringMatch): readonly SchemaProblem[] {
  const forms = Object.keys(match);
  if (forms.length > 1) return matchProblems(steps, match);
  const problem = match.regex === undefined || match.regex === '*' ? undefined : regexProblem(match.regex);
  return problem === undefined ? [] : [invalid([...steps, 'regex'], problem)];
}

/** The case of a header's name means nothing. */
function nameProblems(steps: Steps, name: string): readonly SchemaProblem[] {
  const problem = headerNameProblem(name.replace(/^:/, ''));
  return problem === undefined ? [] : [invalid(steps, `is refused: ${problem}`)];
}
