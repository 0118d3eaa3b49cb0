/** `hawser trust roots` and `trust status`: who trusts whom, and by which roots. */
import { AppError } from '@hawser/runtime/app-error.ts';
import type { RootView, TrustDomainsAnswer, TrustDomainView } from '@hawser/wire/trust-domains.ts';
import { connectHub, type GlobalFlags } from '../commands/connect-hub.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { note, print, printJson } from '../output/print.ts';
import { type Column, tableLines } from '../output/table.ts';
import type { ViewFlags } from '../views/status-command.ts';

const SHORT = 16;

/** The trust domains that the hub knows; all, or the one that is named. Throws `no-trust-domain`. */
export async function fetchTrustDomains(flags: GlobalFlags, name?: string): Promise<readonly TrustDomainView[]> {
  const { items } = (await connectHub(flags).send({ path: '/hawser/v1/trust/domains' })) as TrustDomainsAnswer;
  const found = name === undefined ? items : items.filter((domain) => domain.name === name);
  if (name === undefined || found.length > 0) return found;
  throw new AppError('no-trust-domain', `there is no trust domain ${name}; there are ${items.map((one) => one.name).join(', ') || 'none'}`);
}

/** Every root of every bundle. */
export async function rootsCommand(name: string | undefined, flags: ViewFlags): Promise<ExitCode> {
  const domains = await fetchTrustDomains(flags, name);
  if (flags.output === 'json') printJson({ items: domains.map(({ name: trustDomain, roots }) => ({ trustDomain, roots })) });
  else for (const line of rootLines(domains)) print(line);
  for (const problem of domains.flatMap(({ problems }) => problems)) note(problem);
  return EXIT.done;
}

type Row = RootView & { readonly trustDomain: string };

const ROOT_COLUMNS: readonly Column<Row>[] = [
  { title: 'TRUST DOMAIN', cell: ({ trustDomain }) => trustDomain },
  { title: 'FINGERPRINT', cell: ({ fingerprint }) => fingerprint.slice(0, SHORT) },
  { title: 'STATE', cell: ({ state }) => state },
  { title: 'NOT AFTER', cell: ({ notAfter }) => notAfter },
  { title: 'CLUSTERS', cell: ({ clusters }) => clusters.join(',') },
  { title: 'SUBJECT', cell: ({ subject }) => subject },
];

/** PURE: roots as a table. */
export function rootLines(domains: readonly TrustDomainView[]): string[] {
  return tableLines(
    ROOT_COLUMNS,
    domains.flatMap(({ name: trustDomain, roots }) => roots.map((root): Row => ({ ...root, trustDomain }))),
  );
}

/** Trust domains, whom they believe, and who has their bundles. */
export async function trustStatusCommand(flags: ViewFlags): Promise<ExitCode> {
  const domains = await fetchTrustDomains(flags);
  if (flags.output === 'json')
    printJson({ items: domains.map((domain) => ({ ...domain, roots: domain.roots.map(({ pem: _pem, ...root }) => root) })) });
  else for (const line of statusLines(domains)) print(line);
  return EXIT.done;
}

const STATUS_COLUMNS: readonly Column<TrustDomainView>[] = [
  { title: 'TRUST DOMAIN', cell: ({ name }) => name },
  { title: 'SOURCE', cell: ({ source }) => source },
  { title: 'CLUSTERS', cell: ({ clusters }) => clusters.join(',') },
  { title: 'BELIEVES', cell: ({ federatesWith }) => (federatesWith.includes('*') ? 'all' : federatesWith.join(',') || 'nobody else') },
  { title: 'ROOTS', cell: ({ roots }) => String(roots.length) },
  { title: 'UNTIL', cell: ({ roots }) => roots.map(({ notAfter }) => notAfter).sort()[0] ?? '' },
  { title: 'PROXIES', cell: ({ holders }) => proxiesOf(holders) },
];

/** PURE: the same for people; below the table, what is not as it should be. */
export function statusLines(domains: readonly TrustDomainView[]): string[] {
  const behind = domains.flatMap(({ name, holders }) =>
    holders.flatMap(({ cluster, current, expected, acked, missing }) => {
      if (!current) return [`${cluster} does not serve the newest bundle of ${name} yet`];
      return acked < expected
        ? [`${expected - acked} of ${expected} proxies of ${cluster} have not taken the bundle of ${name}: ${missing.join(', ')}`]
        : [];
    }),
  );
  return [...tableLines(STATUS_COLUMNS, domains), ...behind, ...domains.flatMap(({ problems }) => problems)];
}

function proxiesOf(holders: TrustDomainView['holders']): string {
  const sum = (of: (holder: TrustDomainView['holders'][number]) => number): number =>
    holders.reduce((total, holder) => total + of(holder), 0);
  return holders.length === 0 ? '' : `${sum(({ acked }) => acked)}/${sum(({ expected }) => expected)} have it`;
}
