/** What a hypothetical set of policies would change of the compiled configuration. Pure: fresh translators, nothing served. */
import { fieldChanges } from '@hawser/model/field-diff.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { messageOf } from '@hawser/runtime/app-error.ts';
import type { FieldDifference, XdsDifference } from '@hawser/wire/messages.ts';
import type { Change, LayerName, XdsResource } from '../snapshot/resource.ts';
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
  const before = new SnapshotStore();
  before.apply(translator.update(world, 'all'));
  for (const proxy of proxies) before.apply(translator.attach(proxy));
  try {
    const changes = translator.update({ ...world, policies }, 'all').filter((change) => isVisible(change, before));
    return bounded(changes, before);
  } catch (error) {
    return { resources: [], omitted: [], problems: [messageOf(error)] };
  }
}

/** An assignment whose cluster changed has a new version and the same content: it is sent again, which nobody sees. */
function isVisible(change: Change, before: SnapshotStore): boolean {
  if (!('put' in change)) return true;
  const known = before.get(change.layer, change.put.type, change.put.name);
  return known === undefined || Buffer.compare(known.bytes, change.put.bytes) !== 0;
}

function bounded(changes: readonly Change[], before: SnapshotStore): CompiledDiff {
  const resources: CompiledDifference[] = [];
  const omitted: Pick<CompiledDifference, 'layer' | 'type' | 'name'>[] = [];
  let bytes = 0;
  for (const change of changes) {
    const { layer } = change;
    const { type, name } = 'put' in change ? change.put : change.remove;
    if (bytes > MAX_BYTES) {
      omitted.push({ layer, type, name });
      continue;
    }
    const difference = differenceOf(before.get(layer, type, name), change);
    bytes += JSON.stringify(difference).length;
    resources.push(difference);
  }
  return { resources, omitted, problems: [] };
}

function differenceOf(known: XdsResource | undefined, change: Change): CompiledDifference {
  const now = 'put' in change ? change.put : undefined;
  const { type, name } = 'put' in change ? change.put : change.remove;
  const action = now === undefined ? 'removed' : known === undefined ? 'added' : 'changed';
  const fields = fieldChanges(known && readable(known), now && readable(now));
  return {
    ...{ type, name, layer: change.layer, action },
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
