/** PURE: sidecars in objects as people write them: Pods, what makes Pods, and lists of those. Everything else passes as it is. */
import { type Injection, injectedPod } from '@hawser/model/injection/injected-pod.ts';
import type { InjectionSettings } from '@hawser/model/injection/injection-settings.ts';

/** A JSON object. */
export type Json = { readonly [key: string]: unknown };

/** The object after it, and what there is to say of it. */
export interface InjectedObject {
  readonly object: unknown;
  readonly notes: readonly string[];
}

/** Where the Pod, or its template, is in objects of a kind. */
const TEMPLATES: Readonly<Record<string, readonly string[]>> = {
  Pod: [],
  Deployment: ['spec', 'template'],
  ReplicaSet: ['spec', 'template'],
  ReplicationController: ['spec', 'template'],
  StatefulSet: ['spec', 'template'],
  DaemonSet: ['spec', 'template'],
  Job: ['spec', 'template'],
  CronJob: ['spec', 'jobTemplate', 'spec', 'template'],
};

/** An object, or a list of objects, with sidecars; `namespace` is for those that name none. */
export function injectObject(object: unknown, settings: InjectionSettings, namespace?: string): InjectedObject {
  if (!isJson(object)) return { object, notes: [] };
  const { kind, items } = object;
  if (typeof kind === 'string' && kind.endsWith('List') && Array.isArray(items)) {
    const all = items.map((item) => injectObject(item, settings, namespace));
    return { object: { ...object, items: all.map((one) => one.object) }, notes: all.flatMap(({ notes }) => notes) };
  }
  const path = typeof kind === 'string' ? TEMPLATES[kind] : undefined;
  if (path === undefined) return { object, notes: [] };
  const where = namespaceOf(object) ?? namespace;
  const result = injectedPod(at(object, path), settings, where);
  const name = `${String(kind)} ${where === undefined ? '' : `${where}/`}${nameOf(object)}`;
  return {
    object: result.kind === 'injected' ? replaced(object, path, result.pod) : object,
    notes: [`${name}: ${sentence(result)}`],
  };
}

function sentence(result: Injection): string {
  if (result.kind === 'skipped') return `left out: ${result.reason}`;
  return result.kind === 'injected' ? 'has a sidecar now' : 'has its sidecar already';
}

function at(object: unknown, path: readonly string[]): unknown {
  return path.reduce((inner, key) => (isJson(inner) ? inner[key] : undefined), object);
}

function replaced(object: unknown, path: readonly string[], value: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  return { ...(object as Json), [key]: replaced((object as Json)[key], rest, value) };
}

function namespaceOf({ metadata }: Json): string | undefined {
  return isJson(metadata) && typeof metadata['namespace'] === 'string' ? metadata['namespace'] : undefined;
}

function nameOf({ metadata }: Json): string {
  const { name, generateName } = isJson(metadata) ? metadata : {};
  return typeof name === 'string' ? name : typeof generateName === 'string' ? generateName : '?';
}

function isJson(value: unknown): value is Json {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
