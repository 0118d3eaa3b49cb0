/**
 * Generates TypeScript for the part of Envoy's API that Hawser speaks, from the protos that ship in
 * `@grpc/grpc-js-xds`. Run by `npm run generate:xds`; `npm run check` runs it with `--check` and fails
 * when the committed code differs.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';

/** The messages Hawser uses by name; what they import comes along. */
const ROOTS = [
  'envoy/service/status/v3/csds.proto',
  'envoy/service/discovery/v3/ads.proto',
  'envoy/service/discovery/v3/discovery.proto',
  'envoy/config/bootstrap/v3/bootstrap.proto',
  'envoy/config/cluster/v3/cluster.proto',
  'envoy/config/endpoint/v3/endpoint.proto',
  'envoy/config/listener/v3/listener.proto',
  'envoy/config/route/v3/route.proto',
  'envoy/config/trace/v3/opentelemetry.proto',
  'envoy/config/trace/v3/zipkin.proto',
  'envoy/extensions/access_loggers/file/v3/file.proto',
  'envoy/extensions/access_loggers/filters/cel/v3/cel.proto',
  'envoy/extensions/access_loggers/stream/v3/stream.proto',
  'envoy/extensions/bootstrap/internal_listener/v3/internal_listener.proto',
  'envoy/extensions/filters/http/cors/v3/cors.proto',
  'envoy/extensions/clusters/dynamic_forward_proxy/v3/cluster.proto',
  'envoy/extensions/common/dynamic_forward_proxy/v3/dns_cache.proto',
  'envoy/extensions/filters/http/dynamic_forward_proxy/v3/dynamic_forward_proxy.proto',
  'envoy/extensions/filters/http/ext_authz/v3/ext_authz.proto',
  'envoy/extensions/filters/http/fault/v3/fault.proto',
  'envoy/extensions/filters/http/grpc_web/v3/grpc_web.proto',
  'envoy/extensions/filters/http/header_mutation/v3/header_mutation.proto',
  'envoy/extensions/filters/http/on_demand/v3/on_demand.proto',
  'envoy/extensions/filters/http/rbac/v3/rbac.proto',
  'envoy/extensions/filters/http/router/v3/router.proto',
  'envoy/extensions/filters/http/set_filter_state/v3/set_filter_state.proto',
  'envoy/extensions/filters/http/stateful_session/v3/stateful_session.proto',
  'envoy/extensions/filters/listener/http_inspector/v3/http_inspector.proto',
  'envoy/extensions/filters/listener/original_dst/v3/original_dst.proto',
  'envoy/extensions/filters/http/wasm/v3/wasm.proto',
  'envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector.proto',
  'envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.proto',
  'envoy/extensions/filters/network/rbac/v3/rbac.proto',
  'envoy/extensions/filters/network/sni_dynamic_forward_proxy/v3/sni_dynamic_forward_proxy.proto',
  'envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.proto',
  'envoy/extensions/http/stateful_session/header/v3/header.proto',
  'envoy/extensions/matching/common_inputs/network/v3/network_inputs.proto',
  'envoy/extensions/matching/common_inputs/ssl/v3/ssl_inputs.proto',
  'envoy/extensions/request_id/uuid/v3/uuid.proto',
  'envoy/extensions/retry/host/previous_hosts/v3/previous_hosts.proto',
  'envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config.proto',
  'envoy/extensions/transport_sockets/internal_upstream/v3/internal_upstream.proto',
  'envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol.proto',
  'envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer.proto',
  'envoy/extensions/transport_sockets/tls/v3/secret.proto',
  'envoy/extensions/transport_sockets/tls/v3/tls.proto',
  'envoy/extensions/transport_sockets/tls/v3/tls_spiffe_validator_config.proto',
  'envoy/extensions/upstreams/http/v3/http_protocol_options.proto',
  'xds/type/v3/typed_struct.proto',
];

/** Options that say what a field may hold, and how the API came about: nobody reads them here, and each is kept in every process. */
const ANNOTATIONS = ['validate.**', 'udpa.annotations.**', 'xds.annotations.**', 'envoy.annotations.**', 'google.api.http'];

const here = import.meta.dirname;
const root = join(here, '../..');
const target = join(here, 'src/generated');
const require = createRequire(import.meta.url);

function generate(into: string): void {
  const deps = join(dirname(require.resolve('@grpc/grpc-js-xds/package.json')), 'deps');
  const protos = mkdtempSync(join(tmpdir(), 'hawser-protos-'));
  for (const part of ['envoy-api', 'protoc-gen-validate', 'xds', 'googleapis']) {
    cpSync(join(deps, part), protos, { recursive: true });
  }
  // The package's validate.proto is older than its Envoy protos and lacks this field; only the annotation loses it.
  const protocol = join(protos, 'envoy/config/core/v3/protocol.proto');
  writeFileSync(protocol, readFileSync(protocol, 'utf8').replaceAll(' ignore_empty: true', ''));
  // Envoy 1.40 has this field, the package's protos do not have it yet.
  const tcpProxy = join(protos, 'envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy.proto');
  const attempts = '  google.protobuf.UInt32Value max_connect_attempts = 7';
  writeFileSync(
    tcpProxy,
    readFileSync(tcpProxy, 'utf8')
      .replace(attempts, `  config.core.v3.BackoffStrategy backoff_options = 18;\n\n${attempts}`)
      .replace(
        'import "envoy/config/core/v3/base.proto";',
        'import "envoy/config/core/v3/backoff.proto";\nimport "envoy/config/core/v3/base.proto";',
      ),
  );
  // And this one, by which all requests of a caller get to one of the clusters.
  const routes = join(protos, 'envoy/config/route/v3/route_components.proto');
  const random = '  oneof random_value_specifier {';
  writeFileSync(routes, readFileSync(routes, 'utf8').replace(random, `${random}\n    google.protobuf.BoolValue use_hash_policy = 5;\n`));
  const template = {
    version: 'v2',
    plugins: [
      {
        local: join(root, 'node_modules/.bin/protoc-gen-es'),
        out: into,
        // One call of the plugin for everything, not one for each folder.
        strategy: 'all',
        opt: ['target=ts', 'erasable_syntax=true', 'import_extension=ts'],
        include_imports: true,
      },
    ],
  };
  writeFileSync(join(protos, 'buf.gen.yaml'), JSON.stringify(template));
  const paths = ROOTS.flatMap((path) => ['--path', path]);
  const without = ANNOTATIONS.flatMap((type) => ['--exclude-type', type]);
  execFileSync(join(root, 'node_modules/.bin/buf'), ['generate', ...paths, ...without], { cwd: protos, stdio: 'inherit' });
  rmSync(protos, { recursive: true });
}

function files(dir: string): Map<string, string> {
  const all = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = all.map((entry) => join(entry.parentPath, entry.name)).sort();
  return new Map(paths.map((path) => [relative(dir, path), readFileSync(path, 'utf8')]));
}

if (process.argv.includes('--check')) {
  const fresh = mkdtempSync(join(tmpdir(), 'hawser-generated-'));
  generate(fresh);
  const [want, have] = [files(fresh), files(target)];
  rmSync(fresh, { recursive: true });
  const differing = [...new Set([...want.keys(), ...have.keys()])].filter((path) => want.get(path) !== have.get(path));
  if (differing.length > 0) {
    console.error(`shared/xds/src/generated is not up to date (${differing[0]} …): run npm run generate:xds`);
    process.exit(1);
  }
} else {
  rmSync(target, { recursive: true, force: true });
  generate(target);
}
