import { expect, test } from 'vitest';
import { authorityCertificate } from '../../../../test/kit/authority-certificates.ts';
import { agentIdentity } from './agent-identity.ts';

test('is of the trust domain that the root names, and of the cluster where it names none', async () => {
  expect(agentIdentity(await authorityCertificate('named', { uris: ['spiffe://prod.test'] }), 'us-east')).toBe('spiffe://prod.test/agent');
  expect(agentIdentity(await authorityCertificate('brought'), 'us-east')).toBe('spiffe://us-east.hawser/agent');
  expect(agentIdentity('nonsense', 'us-east')).toBe('spiffe://us-east.hawser/agent');
});
