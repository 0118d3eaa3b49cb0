/** `hawser proxy capture`: leads a workload's traffic to its sidecar, in the network namespace that it runs in. */
import { spawnSync } from 'node:child_process';
import { isIP } from 'node:net';
import { AppError } from '@hawser/runtime/app-error.ts';
import { EXIT, type ExitCode } from '../../exit-code.ts';
import { terminal } from '../../output/terminal.ts';
import { type CaptureRules, type Family, installText, removeText } from './capture-rules.ts';

/** Flags of `proxy capture`. */
export interface ProxyCaptureFlags {
  readonly install?: boolean;
  readonly remove?: boolean;
  readonly dryRun?: boolean;
  readonly proxyUser: string;
  readonly includeOutbound: string;
  readonly excludeOutbound: string;
  readonly includeOutboundPorts: string;
  readonly excludeOutboundPorts: string;
  readonly includeInboundPorts: string;
  readonly excludeInboundPorts: string;
  readonly excludeInboundFrom: string;
  readonly virtualRange: string;
  /** False by `--no-dns`. */
  readonly dns: boolean;
  /** False by `--no-ipv6`. */
  readonly ipv6: boolean;
}

/** The programs of a family. */
const PROGRAMS: Readonly<Record<Family, string>> = { IPv4: 'iptables', IPv6: 'ip6tables' };
const TIMEOUT_MS = 20_000;
/** Seconds to wait for another program that is changing the same tables. */
const LOCK_S = '10';

/** Runs the command. Both families are changed or none: the first is put back when the second fails. */
export function captureCommand(flags: ProxyCaptureFlags): ExitCode {
  const asked = [flags.install, flags.remove].filter((one) => one === true).length;
  if (asked > 1 || (asked === 0 && flags.dryRun !== true))
    throw new AppError('usage', 'say --install or --remove, one of them; --dry-run shows what would be done');
  const rules = rulesOf(flags);
  const families: Family[] = flags.ipv6 ? ['IPv4', 'IPv6'] : ['IPv4'];
  const texts = families.map((family) => {
    const saved = flags.dryRun === true && asked === 0 ? '' : save(family);
    return { family, text: flags.remove === true ? removeText(saved) : installText(rules, family, saved) };
  });
  if (flags.dryRun === true) {
    for (const { family, text } of texts) terminal().stdout.write(`# ${PROGRAMS[family]}-restore --noflush\n${text}\n`);
    return EXIT.done;
  }
  apply(texts);
  terminal().stderr.write(`hawser: the traffic of this network namespace is ${flags.remove === true ? 'no longer ' : ''}captured\n`);
  return EXIT.done;
}

function apply(texts: readonly { readonly family: Family; readonly text: string }[]): void {
  const done: Family[] = [];
  try {
    for (const { family, text } of texts) {
      if (text !== '') restore(family, text);
      done.push(family);
    }
  } catch (error) {
    for (const family of done) restore(family, removeText(save(family)));
    throw error;
  }
}

function save(family: Family): string {
  return run(`${PROGRAMS[family]}-save`, [], '');
}

/** One transaction for each table: there is no moment with half of the rules. */
function restore(family: Family, text: string): void {
  run(`${PROGRAMS[family]}-restore`, ['--noflush', '--wait', LOCK_S], text);
}

function run(program: string, args: readonly string[], input: string): string {
  const { error, status, stdout, stderr } = spawnSync(program, args, { input, encoding: 'utf8', timeout: TIMEOUT_MS });
  if (error !== undefined && 'code' in error && error.code === 'ENOENT')
    throw new AppError('capture-failed', `${program} is not installed; install iptables (Debian: apt-get install iptables)`);
  if (error !== undefined) throw new AppError('capture-failed', `${program}: ${error.message}`, { cause: error });
  if (status === 0) return stdout;
  const why = stderr.trim().split('\n')[0] ?? '';
  const wayOut = program.startsWith('ip6') ? '; --no-ipv6 leaves IPv6 alone' : '; it needs CAP_NET_ADMIN and CAP_NET_RAW';
  throw new AppError('capture-failed', `${program} ended with ${status}: ${why}${wayOut}`);
}

/** PURE: what the flags ask for; throws a usage error that names the flag. */
export function rulesOf(flags: ProxyCaptureFlags): CaptureRules {
  return {
    proxyUser: number('--proxy-user', flags.proxyUser, 4_294_967_294, 0),
    includeOutbound: flags.includeOutbound === '*' ? 'all' : cidrs('--include-outbound', flags.includeOutbound),
    excludeOutbound: cidrs('--exclude-outbound', flags.excludeOutbound),
    includeOutboundPorts: ports('--include-outbound-ports', flags.includeOutboundPorts),
    excludeOutboundPorts: ports('--exclude-outbound-ports', flags.excludeOutboundPorts),
    includeInboundPorts: flags.includeInboundPorts === '*' ? 'all' : ports('--include-inbound-ports', flags.includeInboundPorts),
    excludeInboundPorts: ports('--exclude-inbound-ports', flags.excludeInboundPorts),
    excludeInboundFrom: cidrs('--exclude-inbound-from', flags.excludeInboundFrom),
    virtualRange: virtualRange(flags.virtualRange),
    dns: flags.dns,
  };
}

function virtualRange(text: string): string {
  const [range, ...more] = cidrs('--virtual-range', text);
  if (range === undefined || more.length > 0 || range.includes(':'))
    throw new AppError('usage', `--virtual-range ${text}: must be one range of IPv4, such as 240.240.0.0/12; that of IPv6 follows from it`);
  return range;
}

function listOf(text: string): string[] {
  return text.split(',').flatMap((one) => (one.trim() === '' ? [] : [one.trim()]));
}

function cidrs(flag: string, text: string): string[] {
  return listOf(text).map((one) => {
    const [address = '', length, ...more] = one.split('/');
    const family = isIP(address);
    const most = family === 6 ? 128 : 32;
    if (family === 0 || more.length > 0 || (length !== undefined && (!/^[0-9]{1,3}$/.test(length) || Number(length) > most)))
      throw new AppError('usage', `${flag} ${one}: must be addresses or ranges such as 10.0.0.0/8, with commas between`);
    return one;
  });
}

function ports(flag: string, text: string): number[] {
  return listOf(text).map((one) => number(flag, one, 65_535));
}

function number(flag: string, text: string, most: number, least = 1): number {
  const value = Number(text);
  if (!/^[0-9]+$/.test(text) || value < least || value > most)
    throw new AppError('usage', `${flag} ${text}: must be a number of ${least} to ${most}`);
  return value;
}
