/** Conditions that every request meets, or none. */
import type { StringMatch, VirtualServiceMatch, VirtualServiceSpec } from '../../istio/specs.ts';
import { type Finding, finding } from '../finding.ts';
import type { Subject } from '../subject.ts';
import { isAnyPath, isAnyText } from './match-cover.ts';

/** HW0210, HW0211. */
export function conditions(subject: Subject<VirtualServiceSpec>): Finding[] {
  return (subject.spec.http ?? []).flatMap((rule, index) =>
    (rule.match ?? []).flatMap((match, at) => {
      const field = `spec.http[${index}].match[${at}]`;
      return [...everything(subject, match, field), ...nothing(subject, match, field)];
    }),
  );
}

function everything(subject: Subject, { uri, method, authority }: VirtualServiceMatch, field: string): Finding[] {
  const found = [
    ...(isRegex(uri, isAnyPath) ? ['uri'] : []),
    ...(isRegex(method, isAnyText) ? ['method'] : []),
    ...(isRegex(authority, isAnyText) ? ['authority'] : []),
  ];
  return found.map((name) => finding('HW0210', { at: subject, field: `${field}.${name}` }, `any ${name} meets the expression`));
}

function nothing(subject: Subject, match: VirtualServiceMatch, field: string): Finding[] {
  const say = (path: string, why: string): Finding => finding('HW0211', { at: subject, field: `${field}.${path}` }, why);
  const { uri, method } = match;
  const path = uri?.exact ?? uri?.prefix;
  const isNoPath = path !== undefined && path !== '' && !path.startsWith('/') && path !== '*';
  const verb = method?.exact ?? method?.prefix;
  const all = { uri, method, scheme: match.scheme, authority: match.authority };
  return [
    ...(isNoPath ? [say('uri', `${path} does not begin with /, and every path does`)] : []),
    ...(isRegex(uri, beginsElsewhere)
      ? [say('uri.regex', `${uri?.regex} does not begin with /, and every path does: it is compared with the whole path`)]
      : []),
    ...(verb !== undefined && verb !== verb.toUpperCase()
      ? [say('method', `${verb} is not how the method is written: ${verb.toUpperCase()}`)]
      : []),
    ...Object.entries(all).flatMap(([name, value]) =>
      isRegex(value, contradictsItself)
        ? [say(`${name}.regex`, `${value?.regex} asks for the beginning or the end of the text in the middle of it`)]
        : [],
    ),
  ];
}

function isRegex(match: StringMatch | undefined, is: (regex: string) => boolean): boolean {
  return match?.regex !== undefined && is(match.regex);
}

/** A plain word at the beginning, which nothing makes optional; where there are alternatives, nothing is said. */
function beginsElsewhere(regex: string): boolean {
  return !regex.includes('|') && /^\^?[A-Za-z0-9_-](?![?*{])/.test(regex);
}

/** `a^` and `$a`: anchors in the middle, outside of classes and not escaped. */
function contradictsItself(regex: string): boolean {
  const bare = regex
    .replace(/\\./g, 'x')
    .replace(/\[[^\]]*\]/g, 'x')
    .replace(/\(\?[a-zA-Z]*\)/g, '')
    .replace(/\(\?(P?<[^>]*>|[a-zA-Z]*:)/g, '(');
  return /[^(|^]\^/.test(bare) || /\$[^)|$]/.test(bare);
}
