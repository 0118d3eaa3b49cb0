import { expect, it } from 'vitest';
import { createOperator, serverConfig } from './nats-accounts.ts';

it('configures a server that lets nobody in without credentials, opens one port, and shares nothing between accounts', async () => {
  const operator = await createOperator();
  const place = { host: '10.0.0.1', port: 4222, storeDir: '/var/lib/nats' };
  const plain = serverConfig(operator, place);
  // Pre-authentication flaws of 2026 sit behind these (GHSA-38x3-76xf-cq45, CVE-2026-29785, CVE-2026-33218); monitoring has no authentication.
  expect(plain.replaceAll(/ey[\w.-]+|[AO][A-Z2-7]{55}/g, '')).not.toMatch(
    /no_auth_user|leafnodes|gateway|cluster|websocket|mqtt|http|allow_non_tls|authorization|trace/,
  );
  expect(plain).toMatch(/^operator: ey/m);
  const claims = (jwt: string): unknown => JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString('utf8'));
  expect(claims(operator.accountJwt)).toMatchObject({ nats: { limits: { leaf: 0, imports: 0, exports: 0 } } });
  expect(plain).not.toContain('tls {');
  const secured = serverConfig(operator, { ...place, tls: { certFile: '/c', keyFile: '/k' } });
  expect(secured).toContain('tls {\n  cert_file: "/c"\n  key_file: "/k"\n  min_version: "1.2"');
});
