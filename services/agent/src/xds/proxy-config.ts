/** What a proxy is served, as people read it: protobuf JSON. */
import { fromBinary, isMessage, toJson } from '@bufbuild/protobuf';
import { messageOf } from '@hawser/runtime/app-error.ts';
import type { ProxyConfigRequest, XdsType } from '@hawser/wire/messages.ts';
import type { DataSourceSchema } from '@hawser/xds/generated/envoy/config/core/v3/base_pb.ts';
import { type Secret, SecretSchema } from '@hawser/xds/generated/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts';
import type { XdsResource } from '../snapshot/resource.ts';
import type { ProxyStream } from './proxy-stream.ts';
import { RESOURCE_SCHEMAS } from './resource-schemas.ts';
import { typeRegistry } from './type-registry.ts';

const SECTIONS: Readonly<Record<ProxyConfigRequest['section'], XdsType>> = {
  clusters: 'CDS',
  endpoints: 'EDS',
  listeners: 'LDS',
  routes: 'RDS',
  secrets: 'SDS',
};

/** The resources of one section that the proxy subscribes to, sorted by name, private keys redacted. */
export function proxyConfigOf(stream: ProxyStream, section: ProxyConfigRequest['section']): unknown[] {
  const type = SECTIONS[section];
  const names = [...stream.view.names(type)].filter((name) => stream.machine.covers(type, name)).sort();
  const resources = names.map((name) => stream.view.get(type, name)).filter((resource) => resource !== undefined);
  return resources.map(readable);
}

/** A resource in protobuf JSON, private keys redacted; one that cannot be shown is named with the reason. */
export function readable(resource: XdsResource): unknown {
  try {
    const schema = RESOURCE_SCHEMAS[resource.type];
    const message = fromBinary(schema, resource.bytes);
    if (isMessage(message, SecretSchema)) redact(message);
    return toJson(schema, message, { registry: typeRegistry() });
  } catch (error) {
    return { name: resource.name, error: messageOf(error) };
  }
}

/** Hides everything in a secret that is one (RELIABILITY.md 5.2, CA keys). */
function redact(secret: Secret): void {
  const { case: kind, value } = secret.type;
  if (kind === 'tlsCertificate') {
    for (const source of [value.privateKey, value.password]) if (source !== undefined) hide(source);
  } else if (kind === 'sessionTicketKeys') value.keys.forEach(hide);
  else if (kind === 'genericSecret' && value.secret !== undefined) hide(value.secret);
}

function hide(source: { $typeName: typeof DataSourceSchema.typeName; specifier: unknown }): void {
  source.specifier = { case: 'inlineString', value: '[redacted]' };
}
