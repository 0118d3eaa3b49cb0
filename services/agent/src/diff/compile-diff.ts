/** What a hypothetical set of policies would change of the compiled configuration. Pure: fresh translators, nothing served. */
import { fieldChanges } from '@hawser/model/field-diff.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { messageOf } from '@hawser/runtime/app-error.ts';
import type { FieldDifference, XdsDifference, XdsType } from '@hawser/wire/messages.ts';
import { type Change, keysOf, type LayerName, type ResourceKey, type XdsResource } from '../snapshot/resource.ts';
import { SnapshotStore } from '../snapshot/snapshot-store.ts';
import type { ProxyRef, World } from '../state/world.ts';
import { createTranslator } from '../translate/translator.ts';
import { readable } from '../xds/proxy-config.ts';

/** What is compared: the world in force, and the policies that would be. */
export interface DiffInput {
  readonly world: World;
  readonly policies: ReadonlyMap<string, Resource>;
  readonly proxies: readonly ProxyRef[];
}

/** One resource that would differ; who gets it is not known here. */
export type CompiledDifference = Omit<XdsDifference, 'proxies' | 'layer'> & { readonly layer: LayerName };

/** What came of it. */
export interface CompiledDiff {
  readonly resources: readonly CompiledDifference[];
  /** Those beyond the limits, by layer, type and name alone. */
  readonly omitted: readonly Pick<CompiledDifference, 'layer' | 'type' | 'name'>[];
  readonly problems: readonly string[];
}

const MAX_FIELDS = 100;
const MAX_VALUE = 2_000;
/** An answer has to fit into one NATS message of 1 MiB. */
const MAX_BYTES = 600_000;

/** Compiles both and compares them. Where the hypothetical one cannot be compiled, that is the answer's problem, and nothing differs. */
export function compileDiff({ world, policies, proxies }: DiffInput): CompiledDiff {
  const translator = createTranslator();
  const store = new SnapshotStore();
  store.apply(translator.update(world, 'all'));
  for (const proxy of proxies) store.apply(translator.attach(proxy));
  try {
    return bounded(differencesOf(translator.update({ ...world, policies }, 'all'), store).filter(isVisible));
  } catch (error) {
    return { resources: [], omitted: [], problems: [messageOf(error)] };
  }
}

/** A resource before and after, in its layer. */
interface Difference extends ResourceKey {
  readonly layer: LayerName;
  readonly before: XdsResource | undefined;
  readonly after: XdsResource | undefined;
}

/** A proxy that comes to read another layer sees a difference in what it sees, and not in a layer that nobody read before. */
function differencesOf(changes: readonly Change[], store: SnapshotStore): Difference[] {
  const moving = changes.filter((change) => 'reads' in change);
  const seen = new Map(moving.map(({ layer }) => [layer, visibleTo(layer, store)]));
  const left = new Set(
    moving.flatMap(({ layer, reads }) => [...store.layersOf(layer), ...reads]).filter((layer) => layer.startsWith('scope:')),
  );
  const before = new Map(changes.flatMap((change) => keysOf(change).map((key) => [change, store.get(change.layer, key.type, key.name)])));
  return store.apply(changes).changes.flatMap((change): Difference[] => {
    const { layer } = change;
    if ('put' in change || 'remove' in change) {
      if (left.has(layer)) return [];
      const { type, name } = 'put' in change ? change.put : change.remove;
      return [{ layer, type, name, before: before.get(change), after: 'put' in change ? change.put : undefined }];
    }
    const after = visibleTo(layer, store);
    return keysOf(change).map(({ type, name }) => {
      const id = `${type} ${name}`;
      return { layer, type, name, before: seen.get(layer)?.get(id), after: after.get(id) };
    });
  });
}

/** Everything that the owner of a layer sees, by type and name. */
function visibleTo(own: LayerName, store: SnapshotStore): Map<string, XdsResource> {
  const layers = [...store.layersOf(own)].reverse();
  const resources = layers.flatMap((layer) => TYPES.flatMap((type) => [...store.all(layer, type).values()]));
  return new Map(resources.map((resource) => [`${resource.type} ${resource.name}`, resource]));
}

const TYPES: readonly XdsType[] = ['CDS', 'EDS', 'LDS', 'RDS', 'SDS'];

/** An assignment whose cluster changed has a new version and the same content: it is sent again, which nobody sees. */
function isVisible({ before, after }: Difference): boolean {
  if (before === undefined || after === undefined) return before !== after;
  return Buffer.compare(before.bytes, after.bytes) !== 0;
}

function bounded(differences: readonly Difference[]): CompiledDiff {
  const resources: CompiledDifference[] = [];
  const omitted: Pick<CompiledDifference, 'layer' | 'type' | 'name'>[] = [];
  let bytes = 0;
  for (const one of differences) {
    const { layer, type, name } = one;
    if (bytes > MAX_BYTES) {
      omitted.push({ layer, type, name });
      continue;
    }
    const difference = differenceOf(one);
    bytes += JSON.stringify(difference).length;
    resources.push(difference);
  }
  return { resources, omitted, problems: [] };
}

function differenceOf({ layer, type, name, before, after }: Difference): CompiledDifference {
  const action = after === undefined ? 'removed' : before === undefined ? 'added' : 'changed';
  const fields = fieldChanges(before && readable(before), after && readable(after));
  return {
    ...{ type, name, layer, action },
    fields: fields.slice(0, MAX_FIELDS).map(shortened),
    fieldsOmitted: Math.max(0, fields.length - MAX_FIELDS),
  };
}

function shortened({ path, before, after }: FieldDifference): FieldDifference {
  return { path, ...(before === undefined ? {} : { before: short(before) }), ...(after === undefined ? {} : { after: short(after) }) };
}

function short(value: unknown): unknown {
  const text = JSON.stringify(value);
  return text.length > MAX_VALUE ? `${text.slice(0, MAX_VALUE)}… (${text.length} characters)` : value;
}
