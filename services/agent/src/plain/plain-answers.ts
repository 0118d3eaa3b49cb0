/** Answers the hub's question who called this agent's sidecars otherwise than by the mesh's TLS. */
import type { PlainCallersAccount, PlainCallersRequest } from '@hawser/wire/strict-readiness.ts';
import type { ProxyRegistry } from '../proxy-registry.ts';
import type { Federation } from '../state/federation.ts';
import type { AdsServer } from '../xds/ads-server.ts';
import type { PlainCallers } from './plain-callers.ts';
import { plainReport } from './plain-report.ts';

/** What is known of those who are called. */
export interface PlainAnswersParts {
  readonly federation: Federation;
  readonly server: AdsServer;
  readonly registry: ProxyRegistry;
}

/** What answers, of everything as it is when it is asked. */
export function plainAnswers(callers: PlainCallers, { federation, server, registry }: PlainAnswersParts) {
  return (request: PlainCallersRequest): PlainCallersAccount => {
    const known = { world: federation.world(), proxies: server.proxies(), refs: registry.refs() };
    return plainReport(request, { ...known, callers, now: Date.now() });
  };
}
