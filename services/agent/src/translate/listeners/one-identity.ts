/**
 * Refuses peers whose certificate does not hold exactly one well-formed SPIFFE ID. Envoy's SPIFFE validator picks the bundle by the first URI
 * and lets matchers look at all of them (RELIABILITY.md 0.3): with two, the authority of one trust domain would speak for another.
 */
import { TRUST_DOMAIN_PATTERN } from '@hawser/model/spiffe-ids.ts';
import { ActionSchema, RBAC_Action } from '@hawser/xds/generated/envoy/config/rbac/v3/rbac_pb.ts';
import { RBACSchema } from '@hawser/xds/generated/envoy/extensions/filters/network/rbac/v3/rbac_pb.ts';
import { UriSanInputSchema } from '@hawser/xds/generated/envoy/extensions/matching/common_inputs/ssl/v3/ssl_inputs_pb.ts';
import { extension, packed } from '../wire-values.ts';

/** A path segment: not empty, not `.`, not `..` (SPIFFE-ID section 2.2). */
const SEGMENT = '(?:[a-zA-Z0-9_-]|\\.[a-zA-Z0-9_-]|\\.\\.[a-zA-Z0-9._-])[a-zA-Z0-9._-]*';
/** A workload's ID (SPIFFE-ID section 2). Several come joined by commas, which it cannot hold. */
const SPIFFE_ID = `spiffe://${TRUST_DOMAIN_PATTERN}(?:/${SEGMENT})+`;

/** The filter, first in a chain that ends TLS of the mesh: looked at once, with the first byte. */
export function oneIdentity(): ReturnType<typeof extension> {
  return FILTER;
}

const RE2 = { case: 'googleRe2', value: {} } as const;
const action = (name: string, decision: RBAC_Action) =>
  ({ case: 'action', value: { name: 'action', typedConfig: packed(ActionSchema, { name, action: decision }) } }) as const;

const FILTER = extension('envoy.filters.network.rbac', RBACSchema, {
  statPrefix: 'identity',
  matcher: {
    matcherType: {
      case: 'matcherList',
      value: {
        matchers: [
          {
            predicate: {
              matchType: {
                case: 'singlePredicate',
                value: {
                  input: { name: 'uri_san', typedConfig: packed(UriSanInputSchema, {}) },
                  matcher: {
                    case: 'valueMatch',
                    value: { matchPattern: { case: 'safeRegex', value: { engineType: RE2, regex: SPIFFE_ID } } },
                  },
                },
              },
            },
            onMatch: { onMatch: action('one', RBAC_Action.ALLOW) },
          },
        ],
      },
    },
    onNoMatch: { onMatch: action('not one', RBAC_Action.DENY) },
  },
});
