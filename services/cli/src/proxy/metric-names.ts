import type { Json } from './bootstrap.ts';

/** Name of an upstream cluster that has no endpoint. */
const NOWHERE = 'nowhere';

/**
 * PURE: what gives Istio's metrics their names. Envoy puts `envoy_` before every name but those of the scope `wasmcustom`, from the
 * moment that anything wants to load a plugin. This one is never loaded: its module is asked of an upstream without endpoints, and no
 * virtual machine is made (decision 0019).
 */
export function metricNames(): { readonly extension: Json; readonly cluster: Json } {
  const code = {
    remote: {
      http_uri: { uri: 'http://nowhere/', cluster: NOWHERE, timeout: '1s' },
      sha256: '0'.repeat(64),
      retry_policy: { num_retries: 0 },
    },
  };
  const config = {
    name: 'names-of-metrics (never loads, as intended)',
    failure_policy: 'FAIL_OPEN',
    vm_config: { runtime: 'envoy.wasm.runtime.v8', code },
  };
  return {
    extension: {
      name: 'envoy.bootstrap.wasm',
      typed_config: { '@type': 'type.googleapis.com/envoy.extensions.wasm.v3.WasmService', config },
    },
    cluster: { name: NOWHERE, type: 'STATIC', connect_timeout: '1s' },
  };
}
