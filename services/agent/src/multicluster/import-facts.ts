/** What the informers of the source hear that is the MCS controller's business: each kind is watched once, whoever reads it. */
import { KnownFacts } from '../discover/kubernetes/known-facts.ts';
import type { FactsReader, InformerView, NamedObject, OtherReaders } from '../discover/kubernetes/shared-facts.ts';
import { SLICE_SERVICE_LABEL } from '../discover/registry-kinds.ts';
import { type GatewayName, isOwnService, isOwnSlice } from './backing-kinds.ts';
import { type BackingState, readBackingService, readBackingSlice } from './backing-states.ts';
import { type ExportState, readExportState } from './object-states.ts';

/** Kinds of what stands behind imports. */
export type BackingKind = 'Service' | 'EndpointSlice';

/** Who is told of changes. */
export interface ImportFactsListener {
  onBacking(kind: BackingKind, key: string, states: readonly [now: BackingState | undefined, before: BackingState | undefined]): void;
  /** The outbound gateway's EndpointSlices are others. */
  onGateway(): void;
  onExport(key: string, state: ExportState | undefined): void;
  /** Everything of a kind was listed. */
  onList(): void;
}

const KINDS = ['services', 'endpointslices', 'serviceexports'] as const;

/** Filled from the source's start on; tells whoever listens. */
export class ImportFacts implements OtherReaders {
  readonly backing: Readonly<Record<BackingKind, KnownFacts<BackingState>>> = {
    Service: new KnownFacts((key, now, before) => this.#listener?.onBacking('Service', key, [now, before])),
    EndpointSlice: new KnownFacts((key, now, before) => this.#listener?.onBacking('EndpointSlice', key, [now, before])),
  };
  /** The outbound gateway's EndpointSlices. */
  readonly gateway = new KnownFacts<BackingState>(() => this.#listener?.onGateway());
  readonly exports = new KnownFacts<ExportState>((key, state) => this.#listener?.onExport(key, state));
  readonly readers: Readonly<Record<(typeof KINDS)[number], readonly FactsReader<unknown>[]>>;
  readonly #informers = new Map<string, InformerView>();
  #listener: ImportFactsListener | undefined;

  /** @param outboundGateway The Service whose EndpointSlices derived Services have; undefined where there are none. */
  constructor(outboundGateway: GatewayName | undefined) {
    const ofGateway = ({ key, labels }: NamedObject): boolean =>
      key.startsWith(`${outboundGateway?.namespace}/`) && labels[SLICE_SERVICE_LABEL] === outboundGateway?.name;
    const gateway = { concerns: ofGateway, read: readBackingSlice, sink: this.gateway };
    this.readers = {
      services: [{ concerns: isOwnService, read: readBackingService, sink: this.backing.Service }],
      endpointslices: [
        { concerns: isOwnSlice, read: readBackingSlice, sink: this.backing.EndpointSlice },
        ...(outboundGateway === undefined ? [] : [gateway]),
      ],
      serviceexports: [{ read: readExportState, sink: this.exports }],
    };
  }

  follows(name: string, informer: InformerView): void {
    this.#informers.set(name, informer);
  }

  onList(): void {
    this.#listener?.onList();
  }

  /** Tells this one from now on, and first of what stands behind imports already. */
  listen(listener: ImportFactsListener): void {
    this.#listener = listener;
    for (const kind of ['Service', 'EndpointSlice'] as const)
      for (const [key, state] of this.backing[kind].entries()) listener.onBacking(kind, key, [state, undefined]);
  }

  stop(): void {
    this.#listener = undefined;
  }

  /** Whether everything was listed once. */
  get listed(): boolean {
    return KINDS.every((name) => this.#informers.get(name)?.listed === true);
  }

  /** Path of ServiceExports in the version that the server has. */
  get exportsPath(): string | undefined {
    return this.#informers.get('serviceexports')?.path;
  }
}
