/** How a proxy knows its agent: by the cluster's own roots alone, and by the agent's exact SPIFFE ID: a workload's certificate of the same root is not it. */
import { agentIdentity } from './agent-identity.ts';
import type { Json } from './bootstrap.ts';
import { secretFrom, secretResponse, writeSecret } from './secret-file.ts';

const SECRET = 'agent_ca';

/** PURE: the transport socket; by the roots in a file (`writeAgentCa`), where one is named, as they are there at that moment. */
export function agentTls(bundle: string, cluster: string, secretFile?: string): Json {
  const names = { match_typed_subject_alt_names: [{ san_type: 'URI', matcher: { exact: agentIdentity(bundle, cluster) } }] };
  const validation =
    secretFile === undefined
      ? { validation_context: { trusted_ca: { inline_string: bundle }, ...names } }
      : {
          combined_validation_context: {
            default_validation_context: names,
            validation_context_sds_secret_config: secretFrom(secretFile, SECRET),
          },
        };
  return {
    name: 'envoy.transport_sockets.tls',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
      common_tls_context: {
        alpn_protocols: ['h2'],
        tls_params: { tls_minimum_protocol_version: 'TLSv1_2', tls_maximum_protocol_version: 'TLSv1_3' },
        ...validation,
      },
    },
  };
}

/** Writes the roots for it. */
export function writeAgentCa(path: string, bundle: string): void {
  writeSecret(path, secretResponse(SECRET, { validation_context: { trusted_ca: { inline_string: bundle } } }));
}
