/** Trust domains for operators, and their bundles for whoever federates with them: SPIFFE bundle endpoints, which need no token. */

import { TRUST_DOMAIN_NAME } from '@hawser/model/trust-domain.ts';
import { AppError } from '@hawser/runtime/app-error.ts';
import { sha256 } from '@hawser/runtime/canonical-json.ts';
import type { SpiffeBundle, TrustDomainsAnswer } from '@hawser/wire/trust-domains.ts';
import type { FastifyInstance } from 'fastify';
import Type, { type Static } from 'typebox';
import type { Database } from '../db/database.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';
import { servedSequence } from './served-bundle-store.ts';
import { memberBundle, spiffeBundle, trustDomainsView } from './trust-domains-view.ts';

const Params = Type.Object({ name: Type.String({ pattern: TRUST_DOMAIN_NAME }) });
/** RELIABILITY.md 5.1: a new key is published several of these before it is used. */
const REFRESH_HINT_S = 300;

/** Adds `GET /hawser/v1/trust/domains` and `GET /spiffe/v1/bundles/TRUST_DOMAIN`. */
export function trustDomainRoutes(app: FastifyInstance, { context, database }: { context: FleetContext; database: Database }): void {
  app.get('/hawser/v1/trust/domains', (): TrustDomainsAnswer => ({ items: [...trustDomainsView(context)] }));
  app.get<{ Params: Static<typeof Params> }>(
    '/spiffe/v1/bundles/:name',
    { schema: { params: Params } },
    async ({ params: { name } }): Promise<SpiffeBundle> => {
      const bundle = memberBundle(context, name);
      if ('problem' in bundle) throw new AppError('no-bundle', bundle.problem, { status: 404 });
      const digest = sha256(
        bundle.authorities
          .map(({ fingerprint }) => fingerprint)
          .sort()
          .join('\n'),
      );
      const sequence = await database.transaction((tx) => servedSequence(tx, name, digest));
      return spiffeBundle(bundle.authorities, sequence, REFRESH_HINT_S);
    },
  );
}
