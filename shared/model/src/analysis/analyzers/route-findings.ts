/** What rules of a VirtualService say that cannot be meant: weights, timeouts, faults, delegates. */
import { adoptedName, ownerOf } from '../../adoption.ts';
import { parseDuration } from '../../duration.ts';
import type { VirtualServiceHttp, VirtualServiceSpec } from '../../istio/specs.ts';
import { type Finding, finding } from '../finding.ts';
import type { Subject } from '../subject.ts';
import type { World } from '../world.ts';

type VirtualService = Subject<VirtualServiceSpec>;

/** HW0205. */
export function weights(subject: VirtualService): Finding[] {
  const { http = [], tcp = [], tls = [] } = subject.spec;
  const all = Object.entries({ http, tcp, tls }).flatMap(([kind, rules]) =>
    rules.map((rule, index) => ({ field: `spec.${kind}[${index}].route`, route: rule.route ?? [] })),
  );
  return all.flatMap(({ field, route }) => {
    const sum = route.reduce((total, { weight = 0 }) => total + weight, 0);
    if (route.length < 2 || sum === 100) return [];
    return [finding('HW0205', { at: subject, field }, `the weights add up to ${sum}`)];
  });
}

/** HW0206, HW0207, HW0208. */
export function timeouts(subject: VirtualService): Finding[] {
  return (subject.spec.http ?? []).flatMap((rule, index) => {
    const { retries } = rule;
    const timeout = parseDuration(rule.timeout ?? '') ?? 0;
    if (retries === undefined || timeout === 0 || retries.attempts === 0) return [];
    const perTry = parseDuration(retries.perTryTimeout ?? '') ?? 0;
    const place = { at: subject, field: `spec.http[${index}].retries.perTryTimeout` };
    const whole = `the timeout of the request, ${rule.timeout}`;
    if (perTry > timeout)
      return [finding('HW0206', place, `${retries.perTryTimeout} is more than ${whole}: no try is ever ended, and none follows`)];
    if (perTry === 0)
      return [
        finding('HW0208', { ...place, field: `spec.http[${index}].retries` }, `a try may take ${whole}, and leaves no time for another`),
      ];
    const tries = (retries.attempts ?? 2) + 1;
    if (perTry * tries <= timeout) return [];
    return [finding('HW0207', place, `${tries} tries of ${retries.perTryTimeout} do not fit into ${whole}`)];
  });
}

/** HW0209. */
export function faults(subject: VirtualService): Finding[] {
  return (subject.spec.http ?? []).flatMap((rule, index) => [
    ...faultFinding(subject, {
      field: `spec.http[${index}].fault.abort`,
      share: shareOf(rule.fault?.abort),
      does: 'are answered with an error',
    }),
    ...faultFinding(subject, { field: `spec.http[${index}].fault.delay`, share: shareOf(rule.fault?.delay), does: 'are held back' }),
  ]);
}

interface Fault {
  readonly field: string;
  /** Undefined: there is none. */
  readonly share: number | undefined;
  readonly does: string;
}

function faultFinding(subject: Subject, { field, share, does }: Fault): Finding[] {
  return share === undefined || share < 100 ? [] : [finding('HW0209', { at: subject, field }, `all requests of this rule ${does}`)];
}

/** Without a percentage nothing is done, as Istio has it. */
function shareOf(fault: NonNullable<NonNullable<VirtualServiceHttp['fault']>['delay' | 'abort']> | undefined): number | undefined {
  if (fault === undefined) return undefined;
  const old = 'percent' in fault ? fault.percent : undefined;
  return fault.percentage?.value ?? old ?? 0;
}

/** Where a cluster's own rule delegates, its own delegate comes first, as it does in the cluster. */
function delegateOf(subject: VirtualService, { namespace, name }: { namespace: string; name: string }, world: World) {
  const owner = ownerOf(subject.name);
  const own =
    owner === undefined ? undefined : world.get<VirtualServiceSpec>('VirtualService', namespace, adoptedName(name, owner.cluster));
  return own ?? world.get<VirtualServiceSpec>('VirtualService', namespace, name);
}

/** HW0212. */
export function delegates(subject: VirtualService, world: World): Finding[] {
  return (subject.spec.http ?? []).flatMap(({ delegate }, index) => {
    if (delegate?.name === undefined) return [];
    const namespace = delegate.namespace ?? subject.namespace;
    const target = delegateOf(subject, { namespace, name: delegate.name }, world);
    const place = { at: subject, field: `spec.http[${index}].delegate` };
    if (target === undefined) return [finding('HW0212', place, `there is no VirtualService ${namespace}/${delegate.name}`)];
    if ((target.spec.hosts ?? []).length === 0) return [];
    return [finding('HW0212', place, `${namespace}/${delegate.name} has hosts of its own, so it is no delegate`)];
  });
}
