/** Where the objects of the own cluster come from: a directory of files, or an API server. Both keep to the same promises. */
import type { FileWarning, ObjectsByFile } from './registry-files.ts';
import type { RegistryObject } from './registry-kinds.ts';
import type { ObjectChange } from './service-index.ts';

/** One account of everything that the source holds. */
export interface RegistryRead {
  readonly objects: readonly RegistryObject[];
  /** The same for the last good state, by file or by whatever stands for one. Looked at when the state is saved. */
  readonly byFile: ObjectsByFile;
  readonly warnings: readonly Pick<FileWarning, 'message'>[];
  /**
   * `live`: the owner changed objects on a live watch. `relist`: everything was read again, so absence proves less.
   * `partial`: some of it was read again: a sudden loss is as doubtful, and none is confirmed.
   */
  readonly how: 'live' | 'relist' | 'partial';
  /** All that differs from the objects of the read before; undefined where the source does not know, and on its first. */
  readonly changes?: readonly ObjectChange[] | undefined;
}

/** What a source is given. */
export interface RegistrySourceOptions {
  /** What it held when the last good state was saved. */
  readonly seed?: ObjectsByFile;
  readonly onRead: (read: RegistryRead) => void;
  /** It cannot be read, or not all of it (why), or can be again (undefined). Everything it held stays meanwhile. */
  readonly onHold: (reason: string | undefined) => void;
}

/** A live source. What a read cannot tell is never taken for a removal. */
export interface RegistrySource {
  /** Reads everything once and stays live. Resolves after the first attempt, whatever came of it. */
  start(): Promise<void>;
  /** Reads everything again, as the confirmation of a held loss wants it. Resolves after the attempt. */
  rescan(): Promise<void>;
  /** Ends it; no read is reported after it. */
  stop(): Promise<void>;
}

/** Makes the source of an agent; it does nothing before its start. */
export type OpenRegistry = (options: RegistrySourceOptions) => RegistrySource;
