/** `hawser trust export`: a trust bundle as a file that other programs read. Certificates alone, never a key. */
import { AppError } from '@hawser/runtime/app-error.ts';
import { writeDurably } from '@hawser/runtime/durable-file.ts';
import type { TrustDomainView } from '@hawser/wire/trust-domains.ts';
import { connectHub, type GlobalFlags } from '../commands/connect-hub.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { note } from '../output/print.ts';
import { fetchTrustDomains } from './trust-domains.ts';
import { trustStore } from './trust-store.ts';

/** Its flags. */
export interface ExportFlags extends GlobalFlags {
  readonly output: 'pem' | 'p12' | 'spiffe';
  readonly out: string;
  readonly password?: string;
}

/** Runs the command. */
export async function exportCommand(name: string, flags: ExportFlags): Promise<ExitCode> {
  const [domain] = await fetchTrustDomains(flags, name);
  if (domain === undefined || domain.roots.length === 0) {
    throw new AppError('no-bundle', `the bundle of ${name} is empty: ${domain?.problems.join('; ') || 'no root is known'}`);
  }
  await writeDurably(flags.out, await contentOf(domain, flags), 0o644);
  note(`${flags.out}: ${domain.roots.length} certificates of ${name}`);
  return EXIT.done;
}

async function contentOf({ name, roots }: TrustDomainView, flags: ExportFlags): Promise<string | Uint8Array> {
  if (flags.output === 'pem') return roots.map(({ pem }) => `${pem.trim()}\n`).join('');
  if (flags.output === 'p12')
    return trustStore(
      roots.map(({ pem, fingerprint }) => ({ pem, name: `${name} ${fingerprint.slice(0, 16)}` })),
      flags.password ?? 'changeit',
    );
  // The hub's own endpoint: with the sequence that whoever follows it knows.
  return `${JSON.stringify(await connectHub(flags).send({ path: `/spiffe/v1/bundles/${encodeURIComponent(name)}` }), null, 2)}\n`;
}
