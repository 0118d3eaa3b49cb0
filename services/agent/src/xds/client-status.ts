/** What the clients of a server hold, resource by resource, in the terms of CSDS (csds.proto). */
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import type { XdsType } from '@hawser/wire/messages.ts';
import { ClientResourceStatus } from '@hawser/xds/generated/envoy/admin/v3/config_dump_shared_pb.ts';
import {
  type ClientConfig,
  type ClientConfig_GenericXdsConfigSchema,
  ClientConfigSchema,
  ConfigStatus,
} from '@hawser/xds/generated/envoy/service/status/v3/csds_pb.ts';
import type { XdsResource } from '../snapshot/resource.ts';
import type { ProxyStream } from './proxy-stream.ts';
import type { TypeState } from './stream-machine.ts';
import { PUSH_ORDER, typeUrlOf } from './type-urls.ts';

type Generic = MessageInitShape<typeof ClientConfig_GenericXdsConfigSchema>;

/**
 * A stream's client: every resource that it asks for, sorted by type and name. `version_info` is what it accepted last,
 * `last_updated` when it last answered a response of the type. Secrets are listed without their content.
 */
export function clientConfigOf(stream: ProxyStream, options: { readonly contents: boolean }): ClientConfig {
  const { name, role, address, namespace, serviceAccount } = stream.proxy;
  const configs = PUSH_ORDER.flatMap((type) => namesOf(stream, type).map((resource) => genericOf(stream, type, resource)));
  if (!options.contents) for (const config of configs) delete config.xdsConfig;
  return create(ClientConfigSchema, {
    node: { id: name, metadata: { role, address, namespace, serviceAccount } },
    genericXdsConfigs: configs,
    clientScope: stream.variant,
  });
}

function namesOf(stream: ProxyStream, type: XdsType): string[] {
  const { asked } = stream.machine.subscription(type);
  const served = [...stream.view.names(type)].filter((name) => stream.machine.covers(type, name));
  return [...new Set([...served, ...asked])].filter((name) => name !== '*').sort();
}

function genericOf(stream: ProxyStream, type: XdsType, name: string): Generic {
  const subscription = stream.machine.subscription(type);
  const served = stream.view.get(type, name);
  const answeredAt = stream.answeredAt(type);
  const lastUpdated = answeredAt === undefined ? {} : { lastUpdated: timestampFromDate(answeredAt) };
  const refusal = subscription.refusalOf(name);
  return {
    ...{ typeUrl: typeUrlOf(type), name, versionInfo: subscription.ackedVersion(name) ?? '' },
    ...lastUpdated,
    ...statusOf(subscription, name, served),
    ...(served === undefined || type === 'SDS' ? {} : { xdsConfig: { typeUrl: typeUrlOf(type), value: served.bytes } }),
    ...(refusal === undefined ? {} : { errorState: errorOf(refusal, answeredAt) }),
  };
}

function errorOf(refusal: { version: string; message: string }, at: Date | undefined): Generic['errorState'] {
  const lastUpdateAttempt = at === undefined ? {} : { lastUpdateAttempt: timestampFromDate(at) };
  return { details: refusal.message, versionInfo: refusal.version, ...lastUpdateAttempt };
}

function statusOf(subscription: TypeState, name: string, served: XdsResource | undefined): Pick<Generic, 'configStatus' | 'clientStatus'> {
  const [sent, acked] = [subscription.sentVersion(name), subscription.ackedVersion(name)];
  if (subscription.refusalOf(name) !== undefined) return { configStatus: ConfigStatus.ERROR, clientStatus: ClientResourceStatus.NACKED };
  if (served === undefined && sent === undefined)
    return { configStatus: ConfigStatus.NOT_SENT, clientStatus: ClientResourceStatus.DOES_NOT_EXIST };
  const clientStatus = acked === undefined ? ClientResourceStatus.REQUESTED : ClientResourceStatus.ACKED;
  if (sent === undefined) return { configStatus: ConfigStatus.NOT_SENT, clientStatus };
  return { configStatus: acked === served?.version ? ConfigStatus.SYNCED : ConfigStatus.STALE, clientStatus };
}
