/**
 * What proxies were given, on disk before they are given it: `issued/REPLICA.json` (0600) in the identity folder, one file per
 * replica, so that no root leaves the bundles while certificates of it are in use that only another replica, or an earlier life
 * of this one, knows of.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '@hawser/runtime/app-error.ts';
import { readIfThere, writeDurably } from '@hawser/runtime/durable-file.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import { Compile } from 'typebox/compile';
import { acknowledged, type GivenTo, given, HeldCertificates, type ProxyCertificates, together, unexpired } from './held-certificates.ts';

const FOLDER = 'issued';
/** Acknowledgements are written together: many proxies answer at once. */
const SOON_MS = 1_000;
const shape = Compile(HeldCertificates);

/** Who writes, and where. */
export interface LedgerPlace {
  readonly identityDir: string;
  readonly replica: string;
  readonly log: Pick<Logger, 'error'>;
}

/** One replica's account of what it gave, beside the others'. */
export class IdentityLedger {
  readonly #place: LedgerPlace;
  readonly #own = new Map<string, ProxyCertificates>();
  #others: HeldCertificates = {};
  /** Files of others that cannot be read: nobody knows what is in them. */
  #unreadable: readonly string[] = [];
  #writing: Promise<void> | undefined;
  #dirty = false;
  #soon: NodeJS.Timeout | undefined;
  #saved = true;
  readonly onChange = new Set<() => void>();

  private constructor(place: LedgerPlace) {
    this.#place = place;
  }

  /** Reads what this replica, and the others, have noted. */
  static async open(place: LedgerPlace): Promise<IdentityLedger> {
    const ledger = new IdentityLedger(place);
    const own = await ledger.#read(ledger.#path(place.replica));
    for (const [proxy, all] of Object.entries(unexpired(own ?? {}, Date.now()))) ledger.#own.set(proxy, all);
    await ledger.refresh();
    return ledger;
  }

  /** Of all replicas. */
  get held(): HeldCertificates {
    return together([this.#noted(), this.#others]);
  }

  /** Names of files that cannot be read. */
  get unreadable(): readonly string[] {
    return this.#unreadable;
  }

  /** Resolves when it is on disk that these proxies may use such a certificate from now on; a disk that fails is logged, and holds nobody up. */
  async given(proxies: Iterable<string>, certificate: Pick<GivenTo, 'generation' | 'version' | 'notAfter'>): Promise<void> {
    const at = Date.now();
    for (const proxy of proxies) this.#own.set(proxy, given(this.#own.get(proxy) ?? [], { ...certificate, at }));
    await this.#save();
    this.#tell();
  }

  /** The proxy has taken it up. It is written soon; were it lost, the account would only be too cautious. */
  acknowledged(proxy: string, version: string): void {
    const before = this.#own.get(proxy) ?? [];
    const next = acknowledged(before, { version, at: Date.now() });
    if (next === before) return;
    this.#own.set(proxy, next);
    this.#soon ??= setTimeout(() => void this.#save(), SOON_MS).unref();
    this.#tell();
  }

  /** Reads what the other replicas have noted. */
  async refresh(): Promise<void> {
    const own = `${this.#place.replica}.json`;
    const names = await readdir(join(this.#place.identityDir, FOLDER)).catch(() => []);
    const others = names.filter((name) => name.endsWith('.json') && name !== own);
    const read = await Promise.all(others.map((name) => this.#read(join(this.#place.identityDir, FOLDER, name))));
    this.#unreadable = others.filter((_, index) => read[index] === undefined);
    const before = JSON.stringify(this.#others);
    this.#others = together(read.filter((one) => one !== undefined));
    if (before !== JSON.stringify(this.#others)) this.#tell();
  }

  /** Resolves when everything that was noted is on disk. */
  async flush(): Promise<void> {
    if (this.#soon !== undefined || this.#writing !== undefined) await this.#save();
  }

  #noted(): HeldCertificates {
    return Object.fromEntries([...this.#own].map(([proxy, all]) => [proxy, [...all]]));
  }

  async #read(path: string): Promise<HeldCertificates | undefined> {
    try {
      const value: unknown = JSON.parse((await readIfThere(path)) ?? '{}');
      return shape.Check(value) ? value : undefined;
    } catch {
      return undefined;
    }
  }

  /** Everything that is noted while a write is under way goes into the next one together. */
  async #save(): Promise<void> {
    this.#dirty = true;
    while (this.#dirty || this.#writing !== undefined) {
      this.#writing ??= this.#write();
      await this.#writing;
    }
  }

  async #write(): Promise<void> {
    // What else is noted in this turn goes along.
    await Promise.resolve();
    this.#dirty = false;
    clearTimeout(this.#soon);
    this.#soon = undefined;
    const now = Date.now();
    for (const [proxy, all] of this.#own) if (all.every(({ notAfter }) => notAfter <= now)) this.#own.delete(proxy);
    try {
      await writeDurably(this.#path(this.#place.replica), JSON.stringify(Object.fromEntries(this.#own)));
      this.#saved = true;
    } catch (error) {
      if (this.#saved) this.#place.log.error({ error: messageOf(error) }, 'what proxies were given cannot be noted on disk');
      this.#saved = false;
    } finally {
      this.#writing = undefined;
    }
  }

  #path(replica: string): string {
    return join(this.#place.identityDir, FOLDER, `${replica}.json`);
  }

  #tell(): void {
    for (const listener of this.onChange) listener();
  }
}
