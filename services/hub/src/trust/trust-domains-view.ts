/** The trust domains as operators see them, and their bundles as others fetch them: from memory. */
import { createPublicKey } from 'node:crypto';
import type { RosterMember } from '@hawser/model/fleet.ts';
import { federates, type NamedTrustDomain } from '@hawser/model/trust-domain.ts';
import { type AuthorityCertificate, checkBundle } from '@hawser/runtime/authority-certificate.ts';
import { rootMark, type TrustAccount } from '@hawser/wire/trust.ts';
import type { BundleHolder, RootView, SpiffeBundle, TrustDomainView } from '@hawser/wire/trust-domains.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';
import { trustDomainsIn } from './roster-state.ts';

/** A bundle that is complete: every cluster of the trust domain has said what it has. */
export interface KnownBundle {
  readonly authorities: readonly AuthorityCertificate[];
}

/** The bundle of a trust domain of members, or why there is none. Bundles of different trust domains are never merged. */
export function memberBundle(context: FleetContext, trustDomain: string): KnownBundle | { readonly problem: string } {
  const bearers = membersOf(context).filter((member) => member.trustDomain === trustDomain);
  if (bearers.length === 0) return { problem: `${trustDomain} is no trust domain of a cluster of this federation` };
  const unheard = bearers.filter(({ name }) => (context.fleet.cluster(name)?.facts?.trustBundle.length ?? 0) === 0).map(({ name }) => name);
  if (unheard.length > 0) return { problem: `the bundle of ${trustDomain} is not whole yet: nothing was heard of ${unheard.join(', ')}` };
  return { authorities: authoritiesOf(context, trustDomain) };
}

/** PURE: the bundle as a JWK Set (SPIFFE Trust Domain and Bundle, 4.1 and 4.2). */
export function spiffeBundle(authorities: readonly AuthorityCertificate[], sequence: number, refreshSeconds: number): SpiffeBundle {
  const keys = authorities.map(({ pem }) => {
    const { kty = '', ...rest } = createPublicKey(pem).export({ format: 'jwk' });
    const der = pem.replaceAll(/-----[A-Z ]+-----|\s/g, '');
    return { ...rest, use: 'x509-svid' as const, kty, x5c: [der] };
  });
  return { spiffe_sequence: sequence, spiffe_refresh_hint: refreshSeconds, keys };
}

/** Every trust domain: of members, named by resources, and external. */
export function trustDomainsView(context: FleetContext): readonly TrustDomainView[] {
  const desired = context.distribution.desired;
  const named = trustDomainsIn(desired?.resources ?? []).filter(({ name }) => name !== 'default');
  const names = new Set([...membersOf(context).map(({ trustDomain }) => trustDomain), ...named.map(({ name }) => name)]);
  return [...names].sort().map((name) => viewOf(context, name, named));
}

function viewOf(context: FleetContext, name: string, named: readonly NamedTrustDomain[]): TrustDomainView {
  const spec = named.find((domain) => domain.name === name)?.spec ?? {};
  const bearers = membersOf(context).filter(({ trustDomain }) => trustDomain === name);
  const external = context.distribution.desired?.external?.find((domain) => domain.name === name);
  const { authorities, problems } = checkBundle(name, external?.trustBundle ?? bundleTexts(context, name), context.now());
  const unheard = bearers.filter((member) => context.fleet.cluster(member.name)?.facts === undefined);
  return {
    name,
    source: spec.source?.type ?? 'agent',
    clusters: bearers.map((member) => member.name),
    federatesWith: [...(bearers[0]?.federatesWith ?? spec.federatesWith ?? ['*'])],
    aliases: [...(spec.aliases ?? [])],
    roots: authorities.map((authority) => rootView(context, authority, bearers)),
    holders: holdersOf(context, name, authorities),
    problems: [...unheard.map((member) => `${member.name} has not said which roots it has`), ...problems],
  };
}

function rootView(context: FleetContext, authority: AuthorityCertificate, bearers: readonly RosterMember[]): RootView {
  const { fingerprint, subject, notBefore, notAfter, pem } = authority;
  const clusters = bearers.filter(({ name }) => context.fleet.cluster(name)?.facts?.trustBundle.some((one) => one.trim() === pem.trim()));
  const states = clusters.flatMap(({ name }) => accountsOf(context, name).flatMap(({ generations }) => generations));
  const own = states.filter(({ root }) => root === fingerprint).map(({ state }) => state);
  const known = (['active', 'prepared', 'old', 'tainted'] as const).find((state) => own.includes(state));
  return {
    ...{ fingerprint, subject, pem, clusters: clusters.map(({ name }) => name) },
    state: notAfter < context.now() ? 'expired' : (known ?? 'believed'),
    notBefore: new Date(notBefore).toISOString(),
    notAfter: new Date(notAfter).toISOString(),
  };
}

/** By the word of the agents of clusters that believe it. */
function holdersOf(context: FleetContext, trustDomain: string, authorities: readonly AuthorityCertificate[]): BundleHolder[] {
  const marks = JSON.stringify(authorities.map(({ fingerprint }) => rootMark(fingerprint)).sort());
  return membersOf(context)
    .filter((member) => federates(member, trustDomain))
    .flatMap(({ name }) => {
      const served = accountsOf(context, name).flatMap(({ bundles }) => bundles.filter((bundle) => bundle.trustDomain === trustDomain));
      if (served.length === 0) return [];
      return [
        {
          cluster: name,
          current: served.every(({ roots }) => JSON.stringify([...roots].sort()) === marks),
          expected: served.reduce((sum, { expected }) => sum + expected, 0),
          acked: served.reduce((sum, { acked }) => sum + acked, 0),
          missing: served.flatMap(({ missing }) => missing).slice(0, 10),
        },
      ];
    });
}

function accountsOf({ accounts }: FleetContext, cluster: string): readonly TrustAccount[] {
  return accounts.replicas(cluster).flatMap(({ status }) => (status?.trust === undefined ? [] : [status.trust]));
}

function authoritiesOf(context: FleetContext, trustDomain: string): readonly AuthorityCertificate[] {
  return checkBundle(trustDomain, bundleTexts(context, trustDomain), context.now()).authorities;
}

function bundleTexts(context: FleetContext, trustDomain: string): string[] {
  const bearers = membersOf(context).filter((member) => member.trustDomain === trustDomain);
  return bearers.flatMap(({ name }) => context.fleet.cluster(name)?.facts?.trustBundle ?? []);
}

function membersOf({ distribution }: FleetContext): readonly RosterMember[] {
  return distribution.desired?.members ?? [];
}
