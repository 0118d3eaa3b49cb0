/**
 * Secrets of the registry that DestinationRules name for calls to hosts outside. They are of the rule's namespace, and go into the own
 * layers of the proxies that the rule selects: nobody else is sent a key.
 */
import { create } from '@bufbuild/protobuf';
import { SecretSchema } from '@hawser/xds/generated/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts';
import type { XdsResource } from '../../snapshot/resource.ts';
import type { Credential, Credentials } from '../../state/credential.ts';
import { encoded } from '../encode.ts';
import type { ServiceView } from '../services/service-view.ts';
import type { Init } from '../wire-values.ts';
import { type Upstream, upstreamsOf } from './clusters.ts';

/** `NAMESPACE/NAME` of the Secrets that the rules of these services name. */
export function wantedCredentials(views: Iterable<ServiceView>): ReadonlySet<string> {
  const wanted = [...views].flatMap((view) => {
    const namespace = view.policies.destination.secretsOf;
    const names = namespace === undefined ? [] : upstreamsOf(view).flatMap(({ blocks }: Upstream) => blocks.tls?.credentialName ?? []);
    return names.map((name) => `${namespace}/${name}`);
  });
  return new Set(wanted);
}

/** The secrets, as far as the registry has them. Authorities may be in a Secret of their own, `NAME-cacert` (Istio). */
export function credentialSecrets(wanted: ReadonlySet<string>, credentials: Credentials): XdsResource[] {
  return [...wanted].sort().flatMap((key) => {
    const keyPair = credentials.get(key)?.keyPair;
    const source = [credentials.get(`${key}-cacert`), credentials.get(key)].find((credential) => credential?.authorities !== undefined);
    return [...(keyPair === undefined ? [] : [ownSecret(key, keyPair)]), ...(source === undefined ? [] : [trustSecret(key, source)])];
  });
}

function ownSecret(key: string, { certificate, key: privateKey }: NonNullable<Credential['keyPair']>): XdsResource {
  const value = { certificateChain: inline(certificate), privateKey: inline(privateKey) };
  return secret(`credential|${key}`, { case: 'tlsCertificate', value });
}

function trustSecret(key: string, { authorities = '', revoked }: Credential): XdsResource {
  const crl = revoked === undefined ? {} : { crl: inline(revoked), onlyVerifyLeafCertCrl: true };
  return secret(`credential|${key}|ca`, { case: 'validationContext', value: { trustedCa: inline(authorities), ...crl } });
}

function secret(name: string, type: NonNullable<Init<typeof SecretSchema>['type']>): XdsResource {
  return encoded('SDS', name, create(SecretSchema, { name, type }), SecretSchema);
}

function inline(value: string): { specifier: { case: 'inlineString'; value: string } } {
  return { specifier: { case: 'inlineString', value } };
}
