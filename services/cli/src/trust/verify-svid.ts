/** `hawser trust verify`: which trust domain's bundle an X.509-SVID verifies against, and everything that is wrong with it. */
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { svidProblems } from '@hawser/agent/trust/svid.ts';
import { trustDomainOfId } from '@hawser/model/spiffe-ids.ts';
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import { pemCertificates } from '@hawser/runtime/authority-certificate.ts';
import { spiffeIdOf } from '@hawser/runtime/certificate-checks.ts';
import type { TrustDomainView } from '@hawser/wire/trust-domains.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { print, printJson } from '../output/print.ts';
import { terminal } from '../output/terminal.ts';
import type { ViewFlags } from '../views/status-command.ts';
import { fetchTrustDomains } from './trust-domains.ts';

const MOST_CERTIFICATES = 10;

/** What became of the check. */
export interface SvidVerdict {
  readonly spiffeId: string | undefined;
  /** The trust domain of its ID. */
  readonly trustDomain: string | undefined;
  /** The trust domain whose bundle verifies it, whatever its ID says. */
  readonly verifiedBy: string | undefined;
  /** Hex SHA-256 of the root. */
  readonly root: string | undefined;
  readonly problems: readonly string[];
  readonly isGood: boolean;
}

/** Runs the command: 0 when the certificate is good, 1 when it is not. */
export async function verifyCommand(file: string, flags: ViewFlags): Promise<ExitCode> {
  const chain = pemCertificates(await textOf(file));
  if (chain.length === 0) throw new AppError('usage', `${file} holds no certificate in PEM`);
  if (chain.length > MOST_CERTIFICATES)
    throw new AppError('usage', `${file} holds more than ${MOST_CERTIFICATES} certificates: that is no chain`);
  const verdict = verifySvid(chain, await fetchTrustDomains(flags), Date.now());
  if (flags.output === 'json') printJson(verdict);
  else for (const line of verdictLines(verdict)) print(line);
  return verdict.isGood ? EXIT.done : EXIT.failed;
}

async function textOf(file: string): Promise<string> {
  if (file !== '-') {
    return await readFile(file, 'utf8').catch((error: unknown) => {
      throw new AppError('usage', `${file} cannot be read: ${messageOf(error)}`);
    });
  }
  let text = '';
  for await (const part of terminal().stdin) text += part;
  return text;
}

/** PURE: the leaf comes first, then what is between it and a root. */
export function verifySvid(chain: readonly string[], domains: readonly TrustDomainView[], now: number): SvidVerdict {
  const [leaf = '', ...between] = chain;
  const spiffeId = spiffeIdOf(leaf);
  const trustDomain = trustDomainOfId(spiffeId ?? '');
  const problems = [...svidProblems(leaf, { now })];
  const found = rootFor({ leaf, between, now }, domains);
  if (found === undefined) problems.push('no bundle of this federation verifies its signature');
  else if (found.domain.name !== trustDomain) {
    problems.push(`it is signed below a root of ${found.domain.name}, which cannot speak for ${trustDomain ?? 'anybody else'}`);
  }
  return {
    ...{ spiffeId, trustDomain, verifiedBy: found?.domain.name, root: found?.root },
    ...{ problems, isGood: problems.length === 0 },
  };
}

/** PURE: the verdict for people. */
export function verdictLines({ spiffeId, verifiedBy, root, problems, isGood }: SvidVerdict): string[] {
  return [
    `${isGood ? 'good' : 'REFUSED'}: ${spiffeId ?? 'no single SPIFFE ID'}`,
    ...(verifiedBy === undefined ? [] : [`verified by the bundle of ${verifiedBy}, root ${root?.slice(0, 16)}`]),
    ...problems.map((problem) => `- ${problem}`),
  ];
}

interface Chain {
  readonly leaf: string;
  readonly between: readonly string[];
  readonly now: number;
}

interface Found {
  readonly domain: TrustDomainView;
  readonly root: string;
}

/** Of the trust domain in the leaf's own ID first: there the answer is, if it is right. */
function rootFor(chain: Chain, domains: readonly TrustDomainView[]): Found | undefined {
  const own = trustDomainOfId(spiffeIdOf(chain.leaf) ?? '');
  const ordered = [...domains.filter(({ name }) => name === own), ...domains.filter(({ name }) => name !== own)];
  for (const domain of ordered) {
    for (const { pem, fingerprint } of domain.roots) if (leadsTo(chain, pem)) return { domain, root: fingerprint };
  }
  return undefined;
}

/** Whether each certificate is signed by the next, authorities all of them, and the last by the root. */
function leadsTo({ leaf, between, now }: Chain, root: string): boolean {
  try {
    const top = new X509Certificate(root);
    let current = new X509Certificate(leaf);
    for (const next of between.map((pem) => new X509Certificate(pem)).filter((one) => one.fingerprint256 !== top.fingerprint256)) {
      if (!isSignedBy(current, next, now)) return false;
      current = next;
    }
    return isSignedBy(current, top, now);
  } catch {
    return false;
  }
}

function isSignedBy(certificate: X509Certificate, issuer: X509Certificate, now: number): boolean {
  const isAlive = issuer.validFromDate.getTime() <= now && issuer.validToDate.getTime() >= now;
  return isAlive && issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}
