/** `GET /hawser/v1/clusters/NAME/policies`: policy in a cluster's own API server, and what became of it. */
import { adoptedName } from '@hawser/model/adoption.ts';
import { type KindDescriptor, kindNamed } from '@hawser/model/kinds.ts';
import { resourceKey } from '@hawser/model/resource.ts';
import type { ClusterPolicies, ClusterPolicy } from '@hawser/wire/found-policies.ts';
import type { FastifyInstance } from 'fastify';
import { warningsOf } from '../analysis/fleet-analysis.ts';
import type { Database } from '../db/database.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';
import { policyConditions } from '../fleet/policy-conditions.ts';
import { notFound } from '../http/status.ts';
import type { FoundAccounts } from './found-accounts.ts';
import { listFound, type StoredFound } from './found-store.ts';

/** What the view is made of. */
export interface AdoptionRouteParts {
  readonly database: Database;
  readonly context: FleetContext;
  readonly accounts: FoundAccounts;
}

const CLUSTER = kindNamed('Cluster') as KindDescriptor;

/** Adds the route. */
export function adoptionRoutes(app: FastifyInstance, parts: AdoptionRouteParts): void {
  app.get('/hawser/v1/clusters/:name/policies', async (request): Promise<ClusterPolicies> => {
    const { name } = request.params as { readonly name: string };
    const member = parts.context.distribution.desired?.members.find((one) => one.name === name);
    if (member === undefined) throw notFound({ kind: CLUSTER, name });
    const rows = await parts.database.transaction((tx) => listFound(tx, name), { accessMode: 'read only' });
    const heard = parts.accounts.get(name);
    return {
      ...{ cluster: name, policies: member.policies ?? {} },
      ...(heard === undefined ? {} : { heardAt: new Date(heard.heardAt).toISOString() }),
      ...{ kinds: heard?.account.kinds ?? [], omittedMore: heard?.account.omittedMore ?? 0 },
      items: judged(rows, parts.context),
    };
  });
}

/** Of what is only shown, with what is probably not meant of it, as if it were written at the hub. */
function judged(rows: readonly StoredFound[], context: FleetContext): ClusterPolicy[] {
  const shown = rows.filter(({ state, resource }) => state === 'ReadOnly' && resource !== null);
  const findings = warningsOf(
    context,
    shown.map(({ resource }) => resource),
  );
  const byRow = new Map(shown.map((row, index) => [row, findings[index] ?? []]));
  return rows.map((row) => {
    const found = byRow.get(row)?.map(({ code, field, message }) => ({ code, field, message }));
    const resource = row.resource === null ? {} : { resource: row.resource };
    return { ...itemOf(row, context), ...resource, ...(found === undefined ? {} : { findings: found }) };
  });
}

function itemOf(row: StoredFound, context: FleetContext): ClusterPolicy {
  const { kind, namespace, name, uid, generation, state, reason, since, cluster } = row;
  const item = { kind, namespace, name, uid, generation, state, reason, since: since.toISOString() };
  const resource = context.distribution.desired?.adopted?.get(resourceKey(kind, namespace, name))?.get(cluster);
  if (resource === undefined) return item;
  const ready = policyConditions(resource, [], context).find(({ type }) => type === 'Ready');
  const answer = ready === undefined ? {} : { ready: { status: ready.status, message: ready.message } };
  return { ...item, adopted: adoptedName(name, cluster), ...answer };
}
