/**
 * How a running Envoy is given a renewed token: it takes the header of its streams from a secret in a file (SDS, credential injection),
 * which is replaced whenever the token's own file was. Kubelets renew a projected token at four fifths of its life.
 */
import type { Json } from './bootstrap.ts';
import { secretFrom, secretResponse, writeSecret } from './secret-file.ts';

const SECRET = 'proxy_token';

/** PURE: the filter that puts `authorization` on every request to the agent, as the secret in this file says at that moment. */
export function tokenInjector(secretFile: string): Json {
  return {
    name: 'envoy.filters.http.credential_injector',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.filters.http.credential_injector.v3.CredentialInjector',
      overwrite: true,
      credential: {
        name: 'envoy.http.injected_credentials.generic',
        typed_config: {
          '@type': 'type.googleapis.com/envoy.extensions.http.injected_credentials.generic.v3.Generic',
          credential: secretFrom(secretFile, SECRET),
        },
      },
    },
  };
}

/** Writes the secret that the injector reads. */
export function writeTokenSecret(path: string, token: string): void {
  writeSecret(path, secretResponse(SECRET, { generic_secret: { secret: { inline_string: `Bearer ${token}` } } }));
}
