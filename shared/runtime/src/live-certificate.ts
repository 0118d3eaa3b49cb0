/** A server's certificate that is renewed while the server listens: issued anew before it ends, or read again from its files. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { AppError, messageOf } from './app-error.ts';
import { backoffMs } from './backoff.ts';
import type { Logger } from './logger.ts';

/** Chain (leaf first) and PKCS#8 key, both PEM. */
export interface ServerCertificate {
  readonly cert: string;
  readonly key: string;
}

/** The certificate in use; a server takes it up with `setSecureContext`, which drops no connection. */
export interface LiveCertificate {
  readonly current: ServerCertificate;
  /** Calls back with each new certificate. Returns how to stop. */
  onChange(callback: (certificate: ServerCertificate) => void): () => void;
  /** Ends the renewal. */
  stop(): void;
}

/** TLS 1.2 is the floor of every door (RFC 9325 section 3.1.1); both sides prefer 1.3. */
export const TLS_FLOOR = { minVersion: 'TLSv1.2' } as const;

const RETRY = { baseMs: 1_000, maxMs: 60_000 };
const FILES_POLL_MS = 5_000;
/** `setTimeout` holds no more than 2^31 ms. */
const MAX_TIMER_MS = 86_400_000;

/** Tells when what was issued has to be replaced before its time; returns how to stop. */
export type WhenStale = (renew: () => void) => () => void;

/** Issues now, and again at half the life that is left, with jitter; a renewal that fails is tried again and the old one stays in use. */
export async function issuedCertificate(
  issue: () => Promise<ServerCertificate>,
  log: Logger,
  whenStale: WhenStale = () => () => undefined,
): Promise<LiveCertificate> {
  const live = new Live(await issue());
  const renewAt = (): number => Date.now() + Math.max(100, leftMs(live.current) * (0.5 + 0.1 * Math.random()));
  const schedule = (at: number, attempt: number): void => {
    live.timer = setTimeout(
      () => void (Date.now() < at ? schedule(at, attempt) : renew(attempt)),
      Math.min(Math.max(0, at - Date.now()), MAX_TIMER_MS),
    ).unref();
  };
  const renew = async (attempt: number): Promise<void> => {
    try {
      live.replace(await issue());
      schedule(renewAt(), 0);
    } catch (error) {
      log.error({ error: messageOf(error), attempt }, "the server's certificate was not renewed");
      schedule(Date.now() + RETRY.baseMs + backoffMs(attempt, RETRY), attempt + 1);
    }
  };
  schedule(renewAt(), 0);
  live.onStop = whenStale(() => schedule(Date.now(), 0));
  return live;
}

/** Where a certificate lies. */
export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
  /** Appended to the chain that is sent, such as the CA that join tokens pin. */
  readonly more?: string;
  /** Every how many milliseconds the files are looked at; 5 s unless given. */
  readonly pollMs?: number;
}

/** Reads the files now (throws `tls-files`) and whenever they change; a pair that does not fit, as half-way through a change, is not taken up. */
export async function certificateFromFiles(files: CertificateFiles, log: Logger): Promise<LiveCertificate> {
  const live = new Live(await readPair(files));
  let complaint = '';
  const look = async (): Promise<void> => {
    try {
      const found = await readPair(files);
      if (found.cert !== live.current.cert || found.key !== live.current.key) {
        live.replace(found);
        log.info({ file: files.certFile, expires: new X509Certificate(found.cert).validTo }, 'the certificate was read anew');
      }
      complaint = '';
    } catch (error) {
      if (messageOf(error) !== complaint) log.warn({ error: messageOf(error) }, 'the certificate files are not taken up');
      complaint = messageOf(error);
    }
    live.timer = setTimeout(() => void look(), files.pollMs ?? FILES_POLL_MS).unref();
  };
  live.timer = setTimeout(() => void look(), files.pollMs ?? FILES_POLL_MS).unref();
  return live;
}

class Live implements LiveCertificate {
  current: ServerCertificate;
  readonly #callbacks = new Set<(certificate: ServerCertificate) => void>();
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  /** Called once, when the renewal ends. */
  onStop: () => void = () => undefined;

  constructor(first: ServerCertificate) {
    this.current = first;
  }

  set timer(timer: NodeJS.Timeout) {
    clearTimeout(this.#timer);
    this.#timer = timer;
    if (this.#stopped) clearTimeout(timer);
  }

  replace(certificate: ServerCertificate): void {
    if (this.#stopped) return;
    this.current = certificate;
    for (const callback of [...this.#callbacks]) callback(certificate);
  }

  onChange(callback: (certificate: ServerCertificate) => void): () => void {
    this.#callbacks.add(callback);
    return () => this.#callbacks.delete(callback);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.onStop();
  }
}

function leftMs({ cert }: ServerCertificate): number {
  return new X509Certificate(cert).validToDate.getTime() - Date.now();
}

async function readPair({ certFile, keyFile, more = '' }: CertificateFiles): Promise<ServerCertificate> {
  try {
    const [cert, key] = await Promise.all([readFile(certFile, 'utf8'), readFile(keyFile, 'utf8')]);
    if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) throw new Error('the key is not that of the certificate');
    return { cert: `${cert.trimEnd()}\n${more}`, key };
  } catch (error) {
    throw new AppError('tls-files', `${certFile} and ${keyFile} are no certificate and key in PEM: ${messageOf(error)}`, { cause: error });
  }
}
