/** Several static bootstraps as one, so that one start of Envoy reads all of them. */
import type { JsonObject, JsonValue } from '@bufbuild/protobuf';

const HIGHEST_PORT = 65_535;
const PARTS = ['clusters', 'listeners', 'secrets'] as const;

interface Named extends JsonObject {
  readonly name: string;
}

interface Bootstrap extends JsonObject {
  readonly static_resources: Readonly<Record<(typeof PARTS)[number], Named[]>> & JsonObject;
}

/**
 * What every bootstrap has, side by side: each refers to resources of its own alone, and every listener has a port of its own. Envoy accepts it
 * when it accepts every one of them; when it does not, one of them alone may still be accepted.
 */
export function mergedBootstrap(bootstraps: readonly JsonObject[]): JsonObject {
  const ports = { last: 0 };
  const apart = bootstraps.map((bootstrap, index) => separated(bootstrap as Bootstrap, { prefix: `${index}/`, ports }));
  const resources = PARTS.map((part) => [part, apart.flatMap((one) => one.static_resources[part])] as const);
  return { ...apart[0], static_resources: Object.fromEntries(resources) };
}

function separated(bootstrap: Bootstrap, { prefix, ports }: { prefix: string; ports: { last: number } }): Bootstrap {
  const own = new Set(PARTS.flatMap((part) => bootstrap.static_resources[part].map(({ name }) => name)));
  const renamed = (value: JsonValue): JsonValue => {
    if (typeof value === 'string') return own.has(value) ? prefix + value : value;
    if (Array.isArray(value)) return value.map(renamed);
    if (value === null || typeof value !== 'object') return value;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, renamed(inner)]));
  };
  const copy = renamed(bootstrap) as Bootstrap;
  for (const listener of copy.static_resources.listeners) {
    const more = (listener['additional_addresses'] ?? []) as JsonObject[];
    for (const place of [listener, ...more]) takePort(place, ports);
  }
  return copy;
}

/** A port that cannot be one stays, for Envoy to refuse. */
function takePort(place: JsonObject, ports: { last: number }): void {
  const socket = (place['address'] as JsonObject | undefined)?.['socket_address'] as JsonObject | undefined;
  if (socket === undefined || Number(socket['port_value']) > HIGHEST_PORT) return;
  ports.last += 1;
  socket['port_value'] = ports.last;
}
