/** Cases of the findings about who may call. */
import { aged, type Case, written } from './case.ts';

const from = (source: object, spec: object = {}) => written('AuthorizationPolicy', 'ap', { rules: [{ from: [{ source }] }], ...spec });
const jwt = (metadata: object = {}) =>
  written('RequestAuthentication', 'ra', { jwtRules: [{ issuer: 'a', jwksUri: 'https://a.example.com/keys' }] }, metadata);
const modes = (mode: string, second: number, spec: object = {}) =>
  written('PeerAuthentication', `pa${second}`, { mtls: { mode }, ...spec }, aged(second));
const domain = (name: string, federatesWith: readonly string[]) =>
  written('TrustDomain', name, { federatesWith }, { namespace: undefined });

/** By code. */
export const ACCESS_CASES = {
  HW1101: {
    finds: [from({ principals: ['us-east.hawser/ns/a/sa/b', 'us-eest.hawser/ns/a/sa/b'] })],
    field: 'spec.rules[0].from[0].source.principals[1]',
    not: [
      from({ principals: ['us-east.hawser/*', 'cluster.local/ns/a/sa/b', '*/sa/b', 'spiffe://vendor.test/pay', 'old.hawser/ns/a/sa/b'] }),
      written('TrustDomain', 'vendor.test', { aliases: ['old.hawser'] }, { namespace: undefined }),
    ],
  },
  HW1102: {
    finds: [from({ namespaces: ['shop'] })],
    field: 'spec.rules[0].from[0].source.namespaces',
    not: [from({ namespaces: ['shop'] }, { action: 'DENY' })],
  },
  HW1103: {
    finds: [written('AuthorizationPolicy', 'ap', {})],
    field: 'spec',
    not: [written('AuthorizationPolicy', 'ap', { rules: [{}] })],
  },
  HW1104: {
    finds: [from({ requestPrincipals: ['*'] }), jwt({ namespace: 'shop' })],
    field: 'spec.rules[0].from[0].source.requestPrincipals',
    not: [from({ requestPrincipals: ['*'] }), jwt({ namespace: 'hawser-system' })],
  },
  HW1105: { finds: [jwt(), from({ namespaces: ['a'] })], field: 'spec.jwtRules', not: [jwt(), from({ requestPrincipals: ['*'] })] },
  HW1106: {
    finds: [modes('STRICT', 1), modes('PERMISSIVE', 2)],
    field: 'spec',
    not: [modes('STRICT', 1), modes('PERMISSIVE', 2, { selector: { matchLabels: { app: 'reviews' } } })],
  },
  HW1107: {
    finds: [domain('us-east.hawser', ['us-west.hawser', 'vendor.test'])],
    field: 'spec.federatesWith[1]',
    not: [domain('us-east.hawser', ['us-west.hawser', '*'])],
  },
  HW1108: {
    finds: [domain('us-east.hawser', ['us-west.hawser']), domain('us-west.hawser', [])],
    field: 'spec.federatesWith[0]',
    not: [domain('us-east.hawser', ['us-west.hawser']), domain('us-west.hawser', ['us-east.hawser'])],
  },
} satisfies Readonly<Record<string, Case>>;
