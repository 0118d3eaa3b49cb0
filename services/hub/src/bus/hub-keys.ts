/** The hub's secrets on disk, made once: who signs its documents, and who may grant access to NATS. */
import { join } from 'node:path';
import { createOperator, type NatsOperator } from '@hawser/bus/nats-accounts.ts';
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import { privateFolder, readIfThere, writeDurably } from '@hawser/runtime/durable-file.ts';
import { generateSigner, type Signer, signerFromPem, signerToPem } from '@hawser/wire/signing.ts';

/** Keys in the keys folder, readable by their owner alone; replicas have copies of one. Losing them means to enrol every cluster anew. */
export interface HubKeys {
  readonly signer: Signer;
  readonly operator: NatsOperator;
}

/** Reads the keys, or makes them where there are none; throws `keys-unreadable` for a damaged file, which is never replaced. */
export async function loadHubKeys(keysDir: string): Promise<HubKeys> {
  const folder = privateFolder(keysDir);
  const pem = await readOrMake(join(folder, 'documents.pem'), () => signerToPem(generateSigner()));
  const operator = await readOrMake(join(folder, 'nats-operator.json'), async () => JSON.stringify(await createOperator(), null, 2));
  return {
    signer: parsed(join(folder, 'documents.pem'), () => signerFromPem(pem)),
    operator: parsed(join(folder, 'nats-operator.json'), () => operatorFrom(operator)),
  };
}

async function readOrMake(path: string, make: () => string | Promise<string>): Promise<string> {
  const known = await readIfThere(path);
  if (known !== undefined) return known;
  const made = await make();
  await writeDurably(path, made);
  return made;
}

function parsed<T>(path: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new AppError(
      'keys-unreadable',
      `${path} is damaged (${messageOf(error)}): restore it from a backup; without it every cluster must join again`,
    );
  }
}

const FIELDS = ['operatorSeed', 'accountSeed', 'operatorJwt', 'accountJwt', 'systemAccountJwt'] as const;

function operatorFrom(text: string): NatsOperator {
  const value: unknown = JSON.parse(text);
  const fields = FIELDS.map((field): [string, string] => {
    const found = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[field] : undefined;
    if (typeof found !== 'string') throw new Error(`it has no ${field}`);
    return [field, found];
  });
  return Object.fromEntries(fields) as unknown as NatsOperator;
}
