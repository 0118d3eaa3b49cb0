/** The own cluster's objects, live from its API server. Each kind is followed by itself: one that fails holds what it held. */
import type { OpenRegistry, RegistryRead, RegistrySource, RegistrySourceOptions } from '../registry-source.ts';
import type { ApiClient } from './api-client.ts';
import { ClusterObjects } from './cluster-objects.ts';
import { type FollowedKind, followedKinds } from './followed-kinds.ts';
import { Reflector, type ReflectorTimes } from './reflector.ts';
import { type OtherReaders, sharedFacts } from './shared-facts.ts';

/** What the source is made of. */
export interface KubernetesRegistryParts {
  readonly api: ApiClient;
  /** Namespaces whose TLS Secrets are read. */
  readonly secretNamespaces: readonly string[];
  /** Who else reads what is followed. */
  readonly others?: OtherReaders | undefined;
  readonly times?: ReflectorTimes | undefined;
  /** For so long an endpoint may be ahead of its Pod before it is worth a word; 5 s unless given. */
  readonly podLateMs?: number | undefined;
}

const POD_LATE_MS = 5_000;

/** The source that follows this API server. */
export function kubernetesRegistry(parts: KubernetesRegistryParts): OpenRegistry {
  return (options) => new KubernetesRegistry(parts, options);
}

/** Follows all kinds; tells nothing before the necessary ones were listed once. */
export class KubernetesRegistry implements RegistrySource {
  readonly #options: RegistrySourceOptions;
  readonly #podLateMs: number;
  readonly #objects = new ClusterObjects();
  readonly #reflectors: { readonly kind: FollowedKind; readonly reflector: Reflector<unknown> }[];
  readonly #problems = new Map<string, string>();
  /** What the next account is of, beside changes heard live. */
  #how: RegistryRead['how'] = 'live';
  /** Rescans under way: what they find is told together. */
  #rescans = 0;
  /** A rescan failed: it is made up for when the API server answers again. */
  #isOwed = false;
  #scheduled: NodeJS.Immediate | undefined;
  #late: NodeJS.Timeout | undefined;
  #latePods: readonly string[] = [];
  #isFirst = true;
  #stopped = false;

  constructor(parts: KubernetesRegistryParts, options: RegistrySourceOptions) {
    const { secretNamespaces, podLateMs = POD_LATE_MS } = parts;
    this.#options = options;
    this.#podLateMs = podLateMs;
    this.#reflectors = followedKinds(secretNamespaces).map((kind) => ({ kind, reflector: this.#follow(kind, parts) }));
  }

  async start(): Promise<void> {
    await this.rescan();
  }

  async rescan(): Promise<void> {
    this.#rescans += 1;
    const listed = await Promise.all(this.#reflectors.map(async ({ kind, reflector }) => (await reflector.list()) || !kind.isNecessary));
    this.#rescans -= 1;
    this.#isOwed = listed.includes(false);
    if (!this.#isOwed) this.#how = 'relist';
    this.#tell();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearImmediate(this.#scheduled);
    clearTimeout(this.#late);
    await Promise.all(this.#reflectors.map(({ reflector }) => reflector.stop()));
  }

  #follow(kind: FollowedKind, { api, times, others }: KubernetesRegistryParts): Reflector<unknown> {
    const { paths, query, pageSize, mayBeAbsent, concerns, rightBy } = kind;
    const own = { read: kind.read, sink: kind.table(this.#objects), ...(concerns && { concerns }) };
    const theirs = others?.readers[kind.name] ?? [];
    const { read, sink } = sharedFacts([own, ...theirs]);
    const reflector: Reflector<unknown> = new Reflector({
      ...{ api, paths, query, pageSize, read, mayBeAbsent, kind: kind.kind },
      ...(times === undefined ? {} : { times }),
      ...(rightBy === undefined ? {} : { rightBy }),
      onList: (objects) => {
        sink.replace(objects, kind.namespace);
        if (theirs.length > 0) others?.onList();
        if (this.#how === 'live') this.#how = 'partial';
        if (this.#isOwed && this.#rescans === 0) void this.rescan();
        else this.#soon();
      },
      onPut: (object) => {
        sink.put(object);
        this.#soon();
      },
      onRemove: (key) => {
        sink.remove(key);
        this.#soon();
      },
      onProblem: (problem) => this.#problem(kind, problem),
    });
    if (theirs.length > 0) others?.follows(kind.name, reflector);
    return reflector;
  }

  #problem(kind: FollowedKind, problem: string | undefined): void {
    if (this.#problems.get(kind.name) === problem || this.#stopped) return;
    if (problem === undefined) this.#problems.delete(kind.name);
    else this.#problems.set(kind.name, problem);
    const [first, ...others] = this.#problems;
    const more = others.length === 0 ? '' : ` (and so with ${others.map(([name]) => name).join(', ')})`;
    this.#options.onHold(first && `${first[1]}${more}; everything it held is kept until it can be read again`);
  }

  /** All changes of one turn are one account. */
  #soon(): void {
    this.#scheduled ??= setImmediate(() => this.#tell());
  }

  #tell(): void {
    clearImmediate(this.#scheduled);
    this.#scheduled = undefined;
    if (this.#stopped || this.#rescans > 0) return;
    if (!this.#reflectors.every(({ kind, reflector }) => !kind.isNecessary || reflector.listed)) return;
    this.#awaitPods();
    const found = this.#objects.takeChanges();
    const how = this.#how;
    this.#how = 'live';
    if (found === undefined && how !== 'relist') return;
    const changes = this.#isFirst ? undefined : (found ?? []);
    this.#isFirst = false;
    const { objects, byFile, warnings } = this.#objects;
    this.#options.onRead({ objects, byFile, warnings: [...warnings, ...this.#latePods].map((message) => ({ message })), how, changes });
  }

  /** A slice may be heard of before its Pods: only what stays so is told. */
  #awaitPods(): void {
    const { unknownPods } = this.#objects;
    if (unknownPods.length === 0) {
      clearTimeout(this.#late);
      this.#late = undefined;
      this.#latePods = [];
      return;
    }
    this.#late ??= setTimeout(() => {
      this.#late = undefined;
      const [first] = this.#objects.unknownPods;
      if (first === undefined) return;
      const more = this.#objects.unknownPods.length > 1 ? ` and ${this.#objects.unknownPods.length - 1} more` : '';
      this.#latePods = [`Pod ${first}${more}: an EndpointSlice names it and the API server does not know it; the endpoint is left out`];
      this.#objects.touch();
      this.#tell();
    }, this.#podLateMs).unref();
  }
}
