/** Tells the policies' probation what the proxies answer, and serves what it decides. */
import type { XdsType } from '@hawser/wire/messages.ts';
import type { Nack } from './report/rollout-tracker.ts';
import type { PolicyProbation, ProxyRefusal, RefusedPolicy } from './state/policy-probation.ts';
import type { TypeState } from './xds/stream-machine.ts';

/** A connected proxy, as far as trials are concerned. */
export interface TriedStream {
  readonly proxy: { readonly name: string };
  readonly view: { get(type: XdsType, name: string): { readonly version: string } | undefined };
  readonly machine: { readonly idle: boolean; readonly refused: boolean; subscription(type: XdsType): Pick<TypeState, 'refusals'> };
}

/** What it works with. */
export interface PolicyTrialsParts<Stream extends TriedStream> {
  readonly probation: PolicyProbation;
  readonly streams: {
    newest(): Iterable<Stream>;
    listen(listener: { changed(): void; settled(stream: Stream): void; gone(stream: Stream): void }): () => void;
  };
  /** Compiles and serves the effective policies, in this turn. */
  readonly recompile: () => void;
  /** A trial ended: these policies were found to be refused, by these proxies. */
  readonly onVerdict: (refused: readonly RefusedPolicy[], nacks: ReadonlyMap<string, Nack>) => void;
}

const TYPES: readonly XdsType[] = ['CDS', 'EDS', 'LDS', 'RDS'];
/** A proxy that does not answer within this holds nobody up. */
const STEP_MS = 15_000;

/** Follows the answers of all proxies. */
export class PolicyTrials<Stream extends TriedStream> {
  readonly #parts: PolicyTrialsParts<Stream>;
  readonly #stop: () => void;
  /** Who refused what during the trial. */
  readonly #nacks = new Map<string, Nack>();
  #known: ReadonlySet<string>;
  #late: NodeJS.Timeout | undefined;

  constructor(parts: PolicyTrialsParts<Stream>) {
    this.#parts = parts;
    this.#known = new Set(parts.probation.refused.map(({ key }) => key));
    const changed = (): void => undefined;
    this.#stop = parts.streams.listen({ changed, settled: (stream) => this.#settled(stream), gone: (stream) => this.#gone(stream) });
  }

  stop(): void {
    clearTimeout(this.#late);
    this.#stop();
  }

  #settled(stream: Stream): void {
    const { probation } = this.#parts;
    // Most answers are to changes of endpoints.
    if (!probation.active && !probation.pending && !stream.machine.refused) return;
    const wasActive = probation.active;
    let again = this.#judge(stream);
    while (again) {
      this.#note(stream);
      this.#parts.recompile();
      const witness = this.#witness();
      // Where nothing differs for the witness there is no answer to wait for.
      again = witness?.machine.idle === true && this.#judge(witness);
    }
    if (probation.active) this.#note(stream);
    this.#armDeadline();
    if ((wasActive || this.#nacks.size > 0) && !probation.active) this.#conclude();
  }

  /** What the probation makes of a stream's state; true when the policies to compile changed. */
  #judge(stream: Stream): boolean {
    const { probation } = this.#parts;
    const refusals = refusalsOf(stream).filter(({ type, resource, version }) => stream.view.get(type, resource)?.version === version);
    for (const refusal of refusals) if (probation.refuse(refusal)) return true;
    if (!stream.machine.idle) return false;
    // What it refuses besides says nothing of what is tried.
    if (!probation.active && stream.machine.refused) return false;
    return probation.accept(stream.proxy.name, this.#isQuiet());
  }

  #isQuiet(): boolean {
    return [...this.#parts.streams.newest()].every(({ machine }) => machine.idle && !machine.refused);
  }

  #note(stream: Stream): void {
    for (const { type, resource, message } of refusalsOf(stream)) this.#nacks.set(stream.proxy.name, { type, resource, message });
  }

  #witness(): Stream | undefined {
    const { probation, streams } = this.#parts;
    return [...streams.newest()].find(({ proxy }) => proxy.name === probation.witness);
  }

  #gone(stream: Stream): void {
    const { probation, streams } = this.#parts;
    if (!probation.active || probation.witness !== stream.proxy.name) return;
    probation.gone(stream.proxy.name);
    const next = [...streams.newest()].find(({ machine }) => machine.idle);
    if (next !== undefined) this.#settled(next);
  }

  #armDeadline(): void {
    clearTimeout(this.#late);
    if (!this.#parts.probation.active) return;
    this.#late = setTimeout(() => {
      this.#parts.probation.giveUp();
      this.#parts.recompile();
      this.#conclude();
    }, STEP_MS).unref();
  }

  #conclude(): void {
    const { probation, onVerdict } = this.#parts;
    const refused = probation.refused.filter(({ key }) => !this.#known.has(key));
    this.#known = new Set(probation.refused.map(({ key }) => key));
    onVerdict(refused, new Map(this.#nacks));
    this.#nacks.clear();
  }
}

function refusalsOf({ proxy, machine }: TriedStream): ProxyRefusal[] {
  const at = new Date().toISOString();
  return TYPES.flatMap((type) =>
    machine
      .subscription(type)
      .refusals.map(({ name, version, message }) => ({ proxy: proxy.name, type, resource: name, version, message, at })),
  );
}
