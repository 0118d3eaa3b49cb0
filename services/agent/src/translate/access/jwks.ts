/** Where the keys of tokens are fetched. Pure. */
import type { RequestAuthenticationJwtRules } from '@hawser/model/istio/specs.ts';
import { hostKey } from '@hawser/model/service-host.ts';

/** A server of keys. */
export interface KeyServer {
  readonly uri: string;
  readonly service: string;
  readonly port: number;
  readonly isTls: boolean;
  /** The service of the mesh that it would be, as a policy of `namespace` names it. */
  readonly key: string | undefined;
}

/** The server that a rule names; undefined when it brings its keys, or names none that can be asked. */
export function keysAt(rule: RequestAuthenticationJwtRules, namespace: string): KeyServer | undefined {
  const uri = rule.jwksUri ?? rule.jwks_uri ?? '';
  const [, scheme, host, port] = /^(https?):\/\/(\[[^\]]+\]|[^/:?#@]+)(?::(\d+))?(?:[/?]|$)/.exec(uri) ?? [];
  if (host === undefined || (rule.jwks ?? '') !== '') return undefined;
  const isTls = scheme === 'https';
  const service = host.replace(/^\[|\]$/g, '');
  return { uri, service, port: Number(port ?? (isTls ? 443 : 80)), isTls, key: isTls ? undefined : hostKey(service, namespace) };
}
