/**
 * Who a proxy in a Pod is: the downward API tells it by environment, so that one container definition fits every Pod. A flag wins over
 * what the Pod says.
 */
import { readFileSync } from 'node:fs';
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import { flagName } from '@hawser/runtime/flag-name.ts';
import type { ProxyIdentityFlags } from './proxy-flags.ts';

/** Flags of which a Pod says the rest. */
export type GivenFlags<Flags> = Omit<Flags, RequiredFlag> & { readonly [flag in RequiredFlag]?: string };

/** Flags that every proxy needs. */
const REQUIRED = ['cluster', 'name', 'address', 'tokenFile'] as const;
type RequiredFlag = (typeof REQUIRED)[number];

const VARIABLES: Readonly<Record<RequiredFlag | 'namespace' | 'serviceAccount', string>> = {
  cluster: 'HAWSER_CLUSTER',
  name: 'HAWSER_POD_NAME',
  namespace: 'HAWSER_POD_NAMESPACE',
  serviceAccount: 'HAWSER_SERVICE_ACCOUNT',
  address: 'HAWSER_POD_IP',
  tokenFile: 'HAWSER_PROXY_TOKEN_FILE',
};
const LABELS = 'HAWSER_POD_LABELS_FILE';

/** The flags with what the Pod says; throws a usage error that names what neither says. */
export function completeFlags<Flags extends ProxyIdentityFlags & { readonly tokenFile: string }>(
  given: GivenFlags<Flags>,
  env: NodeJS.ProcessEnv,
): Flags {
  const said = Object.entries(VARIABLES).flatMap(([flag, variable]) => {
    const value = env[variable];
    return value === undefined || value === '' ? [] : [[flag, flag === 'name' ? podName(value, env) : value]];
  });
  const written = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const flags = { ...Object.fromEntries(said), ...written };
  for (const flag of REQUIRED)
    if (flags[flag] === undefined) throw new AppError('usage', `${flagName(flag)} is missing (in a Pod: ${VARIABLES[flag]})`);
  const file = env[LABELS];
  return file === undefined || file === '' ? flags : { ...flags, label: [...labelsOfPod(file), ...(flags.label ?? [])] };
}

/** Pods of two namespaces may have one name; proxies of a cluster may not (decision 0033). */
function podName(pod: string, env: NodeJS.ProcessEnv): string {
  const namespace = env[VARIABLES.namespace];
  return namespace === undefined || namespace === '' ? pod : `${pod}.${namespace}`;
}

/** `KEY="VALUE"` a line, the value quoted as Go quotes (downward API volume of `metadata.labels`); label values need no escapes. */
function labelsOfPod(file: string): string[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new AppError('usage', `${LABELS}: ${messageOf(error)}`);
  }
  return text.split('\n').flatMap((line) => {
    const [, key, value] = /^([^=]+)="([^"\\]*)"$/.exec(line) ?? [];
    return key === undefined ? [] : [`${key}=${value}`];
  });
}
