/**
 * Switches an access log by a secret: what comes by SDS drains no connection, whereas any change of a listener's filters does
 * (DATAPATH.md E). A filter notes the value with each request or connection, and the log asks for it (decision 0019).
 */
import { create, type JsonObject } from '@bufbuild/protobuf';
import { SecretSchema } from '@hawser/xds/generated/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts';
import type { XdsResource } from '../../snapshot/resource.ts';
import { encoded } from '../encode.ts';
import { type extension, structured, structuredJson } from '../wire-values.ts';
import { LOG_STATE } from './access-logs.ts';
import type { Side } from './effective-telemetry.ts';

const FORMATTER = 'envoy.extensions.formatter.generic_secret.v3.GenericSecret';
const VALUES = 'envoy.extensions.filters';

/** Says whether the log of a side is written. */
export function logSwitch(side: Side, isOn: boolean): XdsResource {
  return SWITCHES[side][isOn ? 'on' : 'off'];
}

function switchOf(side: Side, value: 'on' | 'off'): XdsResource {
  const name = switchName(side);
  const secret = { specifier: { case: 'inlineString', value } } as const;
  return encoded('SDS', name, create(SecretSchema, { name, type: { case: 'genericSecret', value: { secret } } }), SecretSchema);
}

/** Notes the switch with each request. */
export function httpSwitch(side: Side): ReturnType<typeof extension> {
  return structured('envoy.filters.http.set_filter_state', `${VALUES}.http.set_filter_state.v3.Config`, {
    on_request_headers: [noted(side)],
  });
}

/** Notes the switch with each connection. */
export function tcpSwitch(side: Side): ReturnType<typeof extension> {
  const name = 'envoy.filters.network.set_filter_state';
  return structured(name, `${VALUES}.network.set_filter_state.v3.Config`, { on_new_connection: [noted(side)] });
}

function noted(side: Side): JsonObject {
  const sds = { name: switchName(side), sds_config: { ads: {}, resource_api_version: 'V3' } };
  const formatters = [structuredJson('envoy.formatter.generic_secret', FORMATTER, { secret_configs: { switch: sds } })];
  const format = { text_format_source: { inline_string: '%SECRET(switch)%' }, omit_empty_values: true, formatters };
  return { object_key: LOG_STATE, factory_key: 'envoy.string', format_string: format };
}

function switchName(side: Side): string {
  return side === 'CLIENT' ? 'access-log|outbound' : 'access-log|inbound';
}

const SWITCHES = {
  CLIENT: { on: switchOf('CLIENT', 'on'), off: switchOf('CLIENT', 'off') },
  SERVER: { on: switchOf('SERVER', 'on'), off: switchOf('SERVER', 'off') },
};
