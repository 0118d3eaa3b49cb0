/** The certificates of the hub's doors, and what their clients must know to check them. */
import { readFile } from 'node:fs/promises';
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import { certificateFromFiles, issuedCertificate, type LiveCertificate } from '@hawser/runtime/live-certificate.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import { apiSpeaksTls, type HubConfig, isWildcard, natsSpeaksTls } from '../config.ts';
import { caPin, openServingAuthority, publishCa, SERVING_LIFE_MS, type ServingAuthority } from './serving-authority.ts';

/** Doors without a certificate are plain. */
export interface HubDoors {
  readonly api: LiveCertificate | undefined;
  /** Of the hub's own NATS. */
  readonly nats: LiveCertificate | undefined;
  /** What join tokens pin: the CA behind the public URL; none where the system's roots decide. */
  readonly caPin: string | undefined;
  /** PEM of the CA of NATS, the hub's own or an external one. */
  readonly natsCa: string | undefined;
  stop(): void;
}

/** Opens what the configuration asks for; `lifeMs` of issued certificates is `SERVING_LIFE_MS` unless given (tests give seconds). */
export async function openDoors(config: HubConfig, log: Logger, lifeMs = SERVING_LIFE_MS): Promise<HubDoors> {
  const ownNats = config.natsUrl === undefined && natsSpeaksTls(config);
  const ownApi = apiSpeaksTls(config) && config.tlsCert === undefined;
  const authority = ownNats || ownApi ? await openServingAuthority(config.keysDir) : undefined;
  const issued = (names: readonly string[]): Promise<LiveCertificate> | undefined =>
    authority === undefined ? undefined : issuedCertificate(() => authority.issue(names, lifeMs), log);
  const pinned = config.tlsCa === undefined ? undefined : await readPem(config.tlsCa, '--tls-ca');
  const ca = pinned ?? (ownApi ? authority?.caPem : undefined);
  if (ca !== undefined) await publishCa(config.stateDir, ca);
  const api = ownApi ? await issued(namesOf(config, config.address)) : await fromFiles(config, pinned, log);
  const nats = ownNats ? await issued(namesOf(config, config.natsAddress)) : undefined;
  return {
    ...{ api, nats, caPin: ca === undefined ? undefined : caPin(ca), natsCa: await natsCaOf(config, ownNats ? authority : undefined) },
    stop: () => {
      api?.stop();
      nats?.stop();
    },
  };
}

async function fromFiles({ tlsCert, tlsKey }: HubConfig, pinned: string | undefined, log: Logger): Promise<LiveCertificate | undefined> {
  if (tlsCert === undefined || tlsKey === undefined) return undefined;
  // Agents look for the pinned CA in the chain that the server shows.
  return certificateFromFiles({ certFile: tlsCert, keyFile: tlsKey, ...(pinned === undefined ? {} : { more: pinned }) }, log);
}

async function natsCaOf({ natsCaFile }: HubConfig, authority: ServingAuthority | undefined): Promise<string | undefined> {
  return natsCaFile === undefined ? authority?.caPem : readPem(natsCaFile, '--nats-ca-file');
}

async function readPem(file: string, flag: string): Promise<string> {
  try {
    const text = await readFile(file, 'utf8');
    caPin(text);
    return text;
  } catch (error) {
    throw new AppError('config-invalid', `${flag} ${file}: it is no certificate in PEM (${messageOf(error)})`, { cause: error });
  }
}

/** By which a door on this address is called: from outside, and from this machine. */
function namesOf({ publicUrl }: HubConfig, address: string): readonly string[] {
  const host = new URL(publicUrl).hostname.replace(/^\[(.*)\]$/, '$1');
  return [host, ...(isWildcard(address) ? [] : [address]), 'localhost', '127.0.0.1'];
}
