import { NOT_YET } from './not-yet.ts';

/** Fields of AuthorizationPolicy that are refused, and why. */
export const AUTHORIZATION_POLICY: Readonly<Record<string, string>> = {
  'rules.to.operation.notPorts': NOT_YET,
  'rules.to.operation.ports': NOT_YET,
  'rules.from.source.notRequestPrincipals': NOT_YET,
  'rules.from.source.requestPrincipals': NOT_YET,
};
