/** What policies name and nothing is: told by field, and no more once it is there. */
import type { Resource } from '@hawser/model/resource.ts';
import { describe, expect, it } from 'vitest';
import { readCase, worldOf } from '../../../../test/kit/golden-case.ts';
import type { Credential } from '../state/credential.ts';
import { createTranslator } from './translator.ts';

const world = worldOf(readCase('federated'));

function policy(kind: string, spec: unknown, namespace = 'bookinfo'): Resource {
  return { apiVersion: 'test', kind, metadata: { namespace, name: 'one' }, spec };
}

/** Field and message of each problem. */
function problems(policies: readonly Resource[], credentials: readonly Credential[] = []): string[] {
  const translator = createTranslator();
  const all = new Map(policies.map((one) => [`${one.kind}/${one.metadata.namespace}/${one.metadata.name}`, one]));
  translator.update(
    { ...world, policies: all, credentials: new Map(credentials.map((one) => [`${one.namespace}/${one.name}`, one])) },
    'all',
  );
  return translator.problems().map(({ policy: key, field, message }) => `${key} ${field}: ${message}`);
}

describe('a provider', () => {
  const telemetry = policy('Telemetry', {
    accessLogging: [{ providers: [{ name: 'envoy' }, { name: 'one' }] }],
    tracing: [{ providers: [{ name: 'one' }] }],
  });
  const custom = policy('AuthorizationPolicy', { action: 'CUSTOM', provider: { name: 'one' }, rules: [{}] });

  it('that is not there is told', () => {
    expect(problems([telemetry, custom])).toEqual([
      'Telemetry/bookinfo/one spec.accessLogging[0].providers[1].name: there is no ExtensionProvider one in bookinfo or hawser-system: nothing is logged there',
      'Telemetry/bookinfo/one spec.tracing[0].providers[0].name: there is no ExtensionProvider one in bookinfo or hawser-system: no spans are sent there',
      'AuthorizationPolicy/bookinfo/one spec.provider.name: there is no ExtensionProvider one in bookinfo or hawser-system: every request that its rules mean is denied',
    ]);
  });

  it('that is for something else is told', () => {
    const zipkin = policy('ExtensionProvider', { zipkin: { service: 'zipkin.example.com', port: 9411 } }, 'hawser-system');
    expect(problems([telemetry, custom, zipkin])).toEqual([
      expect.stringMatching(/accessLogging.*one writes no access log: /),
      expect.stringMatching(/spec.provider.name.*one decides nothing: /),
    ]);
  });
});

describe('a credential of a DestinationRule', () => {
  const rule = (tls: object) =>
    policy('DestinationRule', {
      host: 'api.example.com',
      workloadSelector: { matchLabels: { app: 'a' } },
      trafficPolicy: { portLevelSettings: [{ port: { number: 443 }, tls: { credentialName: 'client', ...tls } }] },
    });
  const at = 'DestinationRule/bookinfo/one spec.trafficPolicy.portLevelSettings[0].tls.credentialName: ';
  const secret = (more: Partial<Credential>, name = 'client'): Credential => ({ namespace: 'bookinfo', name, ...more });
  const keyPair = { certificate: 'certificate', key: 'key' };

  it('that the registry does not have, or not whole, is told', () => {
    const outcome = 'calls by this rule fail until it is there';
    expect(problems([rule({ mode: 'MUTUAL' })])).toEqual([`${at}there is no Secret bookinfo/client: ${outcome}`]);
    expect(problems([rule({ mode: 'MUTUAL' })], [secret({ authorities: 'ca' })])).toEqual([
      `${at}the Secret bookinfo/client has no tls.crt and tls.key: ${outcome}`,
    ]);
    expect(problems([rule({ mode: 'SIMPLE' })], [secret({ keyPair, problem: 'expired' })])).toEqual([
      `${at}neither the Secret bookinfo/client nor bookinfo/client-cacert has a ca.crt (expired): ${outcome}`,
    ]);
  });

  it('that has everything is not', () => {
    expect(problems([rule({ mode: 'MUTUAL' })], [secret({ keyPair, authorities: 'ca' })])).toEqual([]);
    expect(problems([rule({ mode: 'SIMPLE' })], [secret({ authorities: 'ca' }, 'client-cacert')])).toEqual([]);
    expect(problems([rule({ mode: 'MUTUAL', insecureSkipVerify: true })], [secret({ keyPair })])).toEqual([]);
    expect(problems([rule({ mode: 'ISTIO_MUTUAL' })])).toEqual([]);
  });
});

describe('TLS of a DestinationRule', () => {
  const rule = (host: string) => policy('DestinationRule', { host, trafficPolicy: { tls: { mode: 'SIMPLE' } } });
  const entry = (host: string) =>
    policy('ServiceEntry', { hosts: [host], resolution: 'DNS', ports: [{ number: 80, name: 'http', protocol: 'HTTP' }] });

  it('is told where a service of the mesh is called, and of hosts outside it is obeyed', () => {
    expect(problems([rule('reviews')])).toEqual([expect.stringContaining('spec.trafficPolicy.tls.mode: calls of services')]);
    for (const host of ['api.example.com', 'example.com']) expect(problems([rule(host), entry(host)])).toEqual([]);
  });
});

describe('a subset of a DestinationRule', () => {
  const rule = (host: string) => policy('DestinationRule', { host, subsets: [{ name: 'v9', labels: { version: 'v9' } }] });
  const entry = (host: string, resolution: string) =>
    policy('ServiceEntry', { hosts: [host], resolution, ports: [{ number: 80, name: 'http', protocol: 'HTTP' }] });

  it('without endpoints is told, but where callers name the server', () => {
    const told = [expect.stringContaining('spec.subsets[0]: no endpoint of api.example.com is in the subset v9')];
    expect(problems([rule('api.example.com'), entry('api.example.com', 'DNS')])).toEqual(told);
    expect(problems([rule('*.example.com'), entry('*.example.com', 'DYNAMIC_DNS')])).toEqual([]);
  });
});
