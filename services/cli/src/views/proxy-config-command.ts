/** `hawser proxy-config CLUSTER/PROXY [SECTION]`: what the agent has for a proxy, in Envoy's own JSON. */
import { AppError } from '@hawser/runtime/app-error.ts';
import { connectHub } from '../commands/connect-hub.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { print, printJson } from '../output/print.ts';
import { tableLines } from '../output/table.ts';
import { configColumns } from './proxy-config-columns.ts';
import type { ViewFlags } from './status-command.ts';

/** Sections, in the order in which they are shown. */
export const CONFIG_SECTIONS = ['clusters', 'listeners', 'routes', 'endpoints', 'secrets'] as const;
export type ConfigSection = (typeof CONFIG_SECTIONS)[number];

/** Runs the command; without a section, all of them. */
export async function proxyConfigCommand(proxyWord: string, section: string | undefined, flags: ViewFlags): Promise<ExitCode> {
  const { cluster, proxy } = proxyArgument(proxyWord);
  const sections = section === undefined ? CONFIG_SECTIONS : [sectionArgument(section)];
  const hub = connectHub(flags);
  const base = `/hawser/v1/proxies/${encodeURIComponent(cluster)}/${encodeURIComponent(proxy)}/config`;
  const shown: Record<string, readonly unknown[]> = {};
  for (const wanted of sections) {
    const { resources } = (await hub.send({ path: `${base}/${wanted}` })) as { resources: readonly unknown[] };
    shown[wanted] = resources;
  }
  if (flags.output === 'json') printJson(section === undefined ? shown : { resources: shown[section] });
  else {
    for (const wanted of sections) {
      if (section === undefined) print(`${wanted === sections[0] ? '' : '\n'}${wanted.toUpperCase()}`);
      for (const line of sectionLines(wanted, shown[wanted] ?? [])) print(line);
    }
  }
  return EXIT.done;
}

/** Reads `CLUSTER/PROXY`; throws `usage` for anything else. */
export function proxyArgument(word: string): { readonly cluster: string; readonly proxy: string } {
  const [cluster, proxy, ...rest] = word.split('/');
  if (cluster === undefined || proxy === undefined || proxy === '' || rest.length > 0) {
    throw new AppError('usage', `${word}: name the proxy as CLUSTER/PROXY; hawser proxy-status lists them`);
  }
  return { cluster, proxy };
}

function sectionArgument(word: string): ConfigSection {
  const found = CONFIG_SECTIONS.find((section) => section === word || section === `${word}s`);
  if (found === undefined) throw new AppError('usage', `there is no section ${word}; choose ${CONFIG_SECTIONS.join(', ')}`);
  return found;
}

function sectionLines(section: ConfigSection, resources: readonly unknown[]): string[] {
  if (resources.length === 0) return [`no ${section}`];
  return tableLines(
    configColumns(section),
    resources.map((resource) => (resource ?? {}) as Record<string, unknown>),
  );
}
