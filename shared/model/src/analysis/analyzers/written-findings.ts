/** What is wrong with a resource by itself, as it was written: what the hub refuses, what Istio removed, old versions. */
import type { KindDescriptor } from '../../kinds.ts';
import type { Issue } from '../../resource.ts';
import { validateResource } from '../../validate.ts';
import { type Finding, finding } from '../finding.ts';
import { isObject } from '../subject.ts';
import { REPLACEMENTS } from './replacements.ts';

/** Its name, as far as it has one. */
export interface WrittenResource {
  readonly kind: KindDescriptor;
  readonly namespace: string;
  readonly name: string;
  readonly content: Readonly<Record<string, unknown>>;
}

/** HW0003: all that can be wrong with what is stored already, for it was judged when it was written. */
export function storedFindings(written: WrittenResource): Finding[] {
  return removedFields(written);
}

/** HW0001, HW0002, HW0003, HW0004. */
export function writtenFindings(written: WrittenResource): Finding[] {
  const removed = removedFields(written);
  const validated = validateResource(written.content, written.kind);
  const issues = 'issues' in validated ? validated.issues : [];
  const rest = issues.filter(({ path }) => !removed.some(({ field }) => field === path || path.startsWith(`${field}.`)));
  const refused = removed.map((one) => (issues.some(({ path }) => path === one.field) ? { ...one, severity: 'Error' as const } : one));
  return [...oldVersion(written), ...refused, ...rest.map((issue) => refusal(written, issue))];
}

/** Takes a refusal out that a finding explains better; what the hub refuses is an error, whatever its code says. */
export function explained(findings: readonly Finding[]): Finding[] {
  const placeOf = ({ kind, namespace, name, field }: Finding): string => [kind, namespace, name, field].join(' ');
  const [refusals, better] = [findings.filter(isRefusal), findings.filter((one) => !isRefusal(one))];
  if (refusals.length === 0) return better;
  const [refused, said] = [new Set(refusals.map(placeOf)), new Set(better.map(placeOf))];
  const raised = better.map((one) => (refused.has(placeOf(one)) ? { ...one, severity: 'Error' as const } : one));
  return [...raised, ...refusals.filter((one) => !said.has(placeOf(one)))];
}

function isRefusal({ code }: Finding): boolean {
  return code === 'HW0001';
}

/** HW0001, HW0002: a kind of Istio's or ours that the hub does not serve. What others made is none of our business. */
export function unservedKind(content: Readonly<Record<string, unknown>>): Finding[] {
  const { apiVersion, kind, metadata } = content;
  const isOurs = typeof apiVersion === 'string' && /^([a-z]+\.istio\.io|hawser\.dev)\//.test(apiVersion);
  if (!isOurs || typeof kind !== 'string') return [];
  const text = (value: unknown): string => (typeof value === 'string' ? value : '');
  const { namespace, name } = isObject(metadata) ? metadata : {};
  const place = { at: { kind, namespace: text(namespace), name: text(name) }, field: 'kind' };
  if (!ISTIO_OTHERS.has(kind)) return [finding('HW0001', place, `${kind} is no kind that the hub serves`)];
  return [finding('HW0002', { ...place, fix: 'take the resource out' }, `Hawser does not serve ${kind}`)];
}

/** Kinds that Istio has beside those of `KINDS`. */
const ISTIO_OTHERS: ReadonlySet<string> = new Set([...['EnvoyFilter', 'ProxyConfig']]);

function refusal(at: WrittenResource, { path, code, message }: Issue): Finding {
  return finding(code === 'NotImplemented' ? 'HW0002' : 'HW0001', { at: named(at), field: path }, message);
}

function named({ kind, namespace, name }: WrittenResource): { kind: string; namespace: string; name: string } {
  return { kind: kind.kind, namespace, name };
}

function oldVersion(written: WrittenResource): Finding[] {
  const { kind, content } = written;
  const [current] = kind.versions;
  const apiVersion = content['apiVersion'];
  const isOld = kind.versions.slice(1).some((version) => apiVersion === `${kind.group}/${version}`);
  if (!isOld) return [];
  const place = { at: named(written), field: 'apiVersion', fix: `write ${kind.group}/${current}` };
  return [finding('HW0004', place, `${apiVersion} is an old version of ${kind.group}/${current}, with the same meaning`)];
}

function removedFields(written: WrittenResource): Finding[] {
  const found: Finding[] = [];
  const visit = (value: unknown, plain: string, field: string): void => {
    if (Array.isArray(value)) value.forEach((one, index) => void visit(one, plain, `${field}[${index}]`));
    else if (isObject(value)) {
      for (const [name, inner] of Object.entries(value)) {
        const [path, at] = [plain === '' ? name : `${plain}.${name}`, `${field}.${name}`];
        const replaced = REPLACEMENTS.find(
          (one) => one.kind === written.kind.kind && one.field.test(path) && (one.value === undefined || one.value === inner),
        );
        if (replaced === undefined) visit(inner, path, at);
        else found.push(finding('HW0003', { at: named(written), field: at, fix: replaced.fix }, replaced.why));
      }
    }
  };
  visit(written.content['spec'], '', 'spec');
  return found;
}
