import { join } from 'node:path';
import { AppError } from '@hawser/runtime/app-error.ts';
import { writeDurably } from '@hawser/runtime/durable-file.ts';
import { openServingAuthority } from './serving-authority.ts';

/** For whom, and where to. */
export interface CertificateOrder {
  readonly keysDir: string;
  /** Host names and IP addresses by which the server is called. */
  readonly names: readonly string[];
  /** Folder for `tls.crt` (the chain), `tls.key` (0600) and `ca.crt`. */
  readonly out: string;
  /** 1 to 398, the longest life that clients accept of servers (CA/Browser Forum, Baseline Requirements 6.3.2). */
  readonly days: number;
}

const DAY_MS = 24 * 3_600_000;

/** `hawser hub certificate`: a certificate of the hub's serving authority for a server beside the hub, such as NATS or PostgreSQL. */
export async function issueCertificate({ keysDir, names, out, days }: CertificateOrder): Promise<void> {
  if (!Number.isInteger(days) || days < 1 || days > 398) throw new AppError('config-invalid', `--days is ${days}; expected 1 to 398`);
  const authority = await openServingAuthority(keysDir);
  const { cert, key } = await authority.issue(names, days * DAY_MS);
  await writeDurably(join(out, 'ca.crt'), authority.caPem, 0o644);
  await writeDurably(join(out, 'tls.key'), key);
  await writeDurably(join(out, 'tls.crt'), cert, 0o644);
}
