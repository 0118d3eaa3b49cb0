/** What becomes of the policy that a member cluster has in its own API server: a setting of the cluster, by namespace. Pure. */
import Type, { type Static } from 'typebox';
import { LABEL_PATTERN } from './patterns.ts';

/** `Off`: nothing is read. `ReadOnly`: shown at the hub and judged. `Authoritative`: in force in that cluster, and in no other. */
export const PolicyMode = Type.Union([Type.Literal('Off'), Type.Literal('ReadOnly'), Type.Literal('Authoritative')], {
  description: 'Off: it is not read. ReadOnly: the hub shows and judges it. Authoritative: it is in force in that cluster.',
});
export type PolicyMode = Static<typeof PolicyMode>;

/** A setting for each namespace would make one for all of them unreadable: more than these are not meant. */
const MAX_NAMESPACES = 256;

/** `Cluster.spec.policies`. */
export const MemberPolicies = Type.Object(
  {
    mode: Type.Optional({ ...PolicyMode, description: 'Of namespaces that are not named: Off, ReadOnly or Authoritative. Default: Off.' }),
    namespaces: Type.Optional(
      Type.Record(Type.String({ pattern: LABEL_PATTERN }), PolicyMode, {
        maxProperties: MAX_NAMESPACES,
        description: 'Of namespaces by their names, in place of the mode of all others.',
      }),
    ),
  },
  {
    additionalProperties: false,
    description: 'What becomes of Istio and Hawser policy that is found in its own API server. Default: it is not read.',
  },
);
export type MemberPolicies = Static<typeof MemberPolicies>;

/** The mode of a namespace; `Off` where nothing is said. */
export function modeOf(policies: MemberPolicies | undefined, namespace: string): PolicyMode {
  const named = policies?.namespaces;
  return (named !== undefined && Object.hasOwn(named, namespace) ? named[namespace] : undefined) ?? policies?.mode ?? 'Off';
}

/** Whether anything is read at all. */
export function readsAny(policies: MemberPolicies | undefined): boolean {
  return [policies?.mode ?? 'Off', ...Object.values(policies?.namespaces ?? {})].some((mode) => mode !== 'Off');
}
