/** Roles, tokens and the audit, as the hub answers them and the CLI reads them. */
import { DnsLabel } from '@hawser/model/kind-specs.ts';
import Type, { type Static } from 'typebox';

/** Every role, weakest first; each may do what those before it may. */
export const ROLES = ['viewer', 'operator', 'approver', 'admin'] as const;
export type Role = (typeof ROLES)[number];

const RoleSchema = Type.Union([Type.Literal('viewer'), Type.Literal('operator'), Type.Literal('approver'), Type.Literal('admin')]);
const Instant = Type.String({ pattern: '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(\\.\\d+)?(Z|[+-]\\d{2}:\\d{2})$', maxLength: 40 });

/** Body of `POST /hawser/v1/tokens`. Without `namespaces` the token is good for all of them; `groups` are whom its bearer may consent for; without `expiresAt` (RFC 3339) for ever. */
export const TokenRequest = Type.Object(
  {
    name: DnsLabel,
    role: RoleSchema,
    namespaces: Type.Optional(Type.Array(DnsLabel, { minItems: 1, maxItems: 100, uniqueItems: true })),
    groups: Type.Optional(Type.Array(DnsLabel, { minItems: 1, maxItems: 20, uniqueItems: true })),
    expiresAt: Type.Optional(Instant),
  },
  { additionalProperties: false },
);
export type TokenRequest = Static<typeof TokenRequest>;

/** One token without its secret. Times are RFC 3339. */
export const TokenEntry = Type.Object({
  name: Type.String(),
  role: RoleSchema,
  namespaces: Type.Optional(Type.Array(Type.String())),
  groups: Type.Optional(Type.Array(Type.String())),
  expiresAt: Type.Optional(Type.String()),
  createdAt: Type.String(),
  createdBy: Type.String(),
});
export type TokenEntry = Static<typeof TokenEntry>;

/** Answer to `POST /hawser/v1/tokens`: the one time that the secret is shown. */
export const TokenCreated = Type.Object({ ...TokenEntry.properties, token: Type.String() });
export type TokenCreated = Static<typeof TokenCreated>;

/** Answer to `GET /hawser/v1/tokens`. */
export const TokensAnswer = Type.Object({ items: Type.Array(TokenEntry) });
export type TokensAnswer = Static<typeof TokensAnswer>;

/** What came of a request that the audit tells of. */
export const AUDIT_OUTCOMES = ['allowed', 'denied', 'failed'] as const;
export type AuditOutcome = (typeof AUDIT_OUTCOMES)[number];
const OutcomeSchema = Type.Union([Type.Literal('allowed'), Type.Literal('denied'), Type.Literal('failed')]);

/** One entry. `revision` is that of the write; none when nothing was written to the desired state. `code` is the HTTP status. */
export const AuditEntry = Type.Object({
  id: Type.Integer(),
  at: Type.String(),
  actor: Type.String(),
  role: Type.String(),
  verb: Type.String(),
  kind: Type.String(),
  namespace: Type.String(),
  name: Type.String(),
  revision: Type.Optional(Type.Integer()),
  outcome: OutcomeSchema,
  code: Type.Integer(),
  reason: Type.String(),
  source: Type.String(),
  traceId: Type.String(),
});
export type AuditEntry = Static<typeof AuditEntry>;

/** Query of `GET /hawser/v1/audit`: newest first, `continue` from the page before. */
export const AuditQuery = Type.Object(
  {
    actor: Type.Optional(Type.String({ maxLength: 253 })),
    kind: Type.Optional(Type.String({ maxLength: 253 })),
    namespace: Type.Optional(Type.String({ maxLength: 253 })),
    name: Type.Optional(Type.String({ maxLength: 253 })),
    outcome: Type.Optional(OutcomeSchema),
    since: Type.Optional(Instant),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
    continue: Type.Optional(Type.Integer({ minimum: 1 })),
  },
  { additionalProperties: false },
);
export type AuditQuery = Static<typeof AuditQuery>;

/** Answer to `GET /hawser/v1/audit`; `continue` is given when there is more. */
export const AuditAnswer = Type.Object({ items: Type.Array(AuditEntry), continue: Type.Optional(Type.Integer()) });
export type AuditAnswer = Static<typeof AuditAnswer>;
